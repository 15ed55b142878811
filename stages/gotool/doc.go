// Package gotool holds what the stages for Go code share.
//
// Two kinds of questions are answered here. Those that a key or a plan asks
// (which Go is it, which tests have the tag "module", which packages have
// benchmarks) are answered by reading files: no process is started and they
// work on a machine without Go. Those that need the go command go through
// [Go], which runs it in one fixed environment: the user's GOFLAGS, go.work
// and exported architecture levels would change what is built or tested
// without being part of any key, so they do not count. What concerns only the
// way modules are fetched (GOPROXY, GOPRIVATE, GOTOOLCHAIN, GOMODCACHE) is left
// as it is.
package gotool
