// Package gotest runs `go test -json` and understands its output.
//
// The format is that of cmd/test2json (one event per line) with the build
// events that Go 1.24 added (`go help buildjson`); lines that are not JSON are
// taken as plain text of the go command. [Parse] is a stream: it keeps the
// output of a test only until the test has passed, everything it keeps is
// bounded, and what it writes to the log reads like plain `go test`.
//
// A [Result] knows the difference between red and empty: a failing test and a
// package that does not compile make a Failure, whose cause begins with the
// failing tests; a run in which no test was executed is "not tested", because
// nothing is green by absence.
package gotest
