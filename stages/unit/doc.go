// Package unit is the stage of the untagged tests.
//
// It runs them all with coverage of the module's own code: each package by its
// own tests, or by those of all with the setting coverpkg. What nobody writes
// tests for does not count at all: generated files (the line
// "// Code generated ... DO NOT EDIT.") and main packages, whose wiring the
// module stage tests.
//
// Go's own cache of test results stays effective on purpose: after an edit of
// one package only the tests that reach it run again. That rules out -coverpkg
// as a default, because it builds every package into every test, and -shuffle, which with
// any seed makes every result uncacheable; tests that depend on their order
// are found by `go test -shuffle=on` once in a while, a loop of seconds is
// needed all day. A timeout is the only other flag, because it is cacheable.
package unit
