// Package bench is the stage of Go benchmarks.
//
// It runs the Benchmark functions of untagged test files and keeps their
// results as findings. It is no gate on speed: a number of one machine says
// little on another, comparing is left to the reports. A benchmark that fails
// does fail the stage, and a module without benchmarks is not applicable. Which
// packages have any is read from the sources, so that the others are not
// compiled.
//
// Output is the Go benchmark data format
// (https://go.dev/design/14313-benchmark-format).
package bench
