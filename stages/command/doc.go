// Package command is the stage that runs a command of the user's: the build of
// another language, or a step that the catalogue does not have.
//
// The contract is a folder and a status. The command runs in the service's
// folder, finds the outputs of its needs in PIPELINE_NEED_<KIND>, writes what
// others need below PIPELINE_OUT, and ends with 0. What it promised in
// "outputs" and "reports" must be there then; a promise that is not kept is a
// failure, for nothing is green by absence. Reports in the formats that every
// test runner writes (JUnit, Cobertura, Code Quality) become findings like
// those of the Go stages.
//
// Report files are written by programs that this one does not know: they are
// read tolerantly as to dialect and strictly as to size, they are only looked
// for below PIPELINE_OUT, and XML with entity declarations is refused.
package command
