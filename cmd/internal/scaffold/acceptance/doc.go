// Package acceptance holds the tests that run the pipeline in what package
// scaffold makes: in a repository like those of 2017 after `pipeline init`, and
// in a new service; and one that runs it as a user without rights. They run
// this checkout's program as users do.
package acceptance
