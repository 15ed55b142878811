// Package scaffold makes a repository ready for the pipeline, and new services.
//
// Look reads a folder and returns Facts: what is there, and nothing that is
// guessed. Decide is pure: Facts and Options become a Plan, which is a list of
// new files with their content, what was found, what was not and what follows
// from it, and what a person does next. Write applies it. The same facts make
// the same plan, so `--dry-run` shows what will be.
//
// A plan holds only files that are not there: whatever a team has written stays
// as it is, and a second call finds nothing to do. Defaults are not written
// down either. Where the translation of what was found would not be true, such
// as a target that tests another image than the one which was built, the plan
// says so and leaves the decision to a person.
package scaffold
