package pipeline

import (
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// Findings is what a stage found, for the reports: every field is optional.
// It is kept with the verdict, so that a stage that is up to date still has
// its tests and its coverage.
type Findings struct {
	// Summary is the one line that stands behind the stage in every view:
	// "31 tests, coverage 86.2 %".
	Summary    string            `json:"summary,omitempty"`
	Tests      []Test            `json:"tests,omitempty"`
	Coverage   *Coverage         `json:"coverage,omitempty"`
	Issues     []Issue           `json:"issues,omitempty"`
	Benchmarks []Benchmark       `json:"benchmarks,omitempty"`
	Facts      map[string]string `json:"facts,omitempty"`  // "bundle" -> digest, "image size" -> bytes
	Phases     []Phase           `json:"phases,omitempty"` // parts of the stage, by their start; see Job.Phase
	Layers     []Layer           `json:"layers,omitempty"` // of the image, lowest first
	Events     []ClusterEvent    `json:"events,omitempty"` // of the namespace, oldest first
}

// mask replaces secrets in everything that a stage took from foreign output.
func (f *Findings) mask(m *proc.Masker) {
	for i := range f.Tests {
		f.Tests[i].Name, f.Tests[i].Output = m.String(f.Tests[i].Name), m.String(f.Tests[i].Output)
	}
	for i := range f.Issues {
		f.Issues[i].Path, f.Issues[i].Message = m.String(f.Issues[i].Path), m.String(f.Issues[i].Message)
	}
	for i := range f.Events {
		f.Events[i].Object, f.Events[i].Message = m.String(f.Events[i].Object), m.String(f.Events[i].Message)
	}
	for name, value := range f.Facts {
		f.Facts[name] = m.String(value)
	}
}

// Test is the result of one test.
type Test struct {
	Package string        `json:"package"` // import path
	Name    string        `json:"name"`    // "TestX/sub"
	Status  TestStatus    `json:"status"`
	Time    time.Duration `json:"time,omitempty"`   // nanoseconds
	Output  string        `json:"output,omitempty"` // of failed and skipped tests
	File    string        `json:"file,omitempty"`   // relative to the service
	Line    int           `json:"line,omitempty"`
}

// TestStatus is "passed", "failed" or "skipped".
type TestStatus string

// The outcomes of one test.
const (
	TestPassed  TestStatus = "passed"
	TestFailed  TestStatus = "failed"
	TestSkipped TestStatus = "skipped"
)

// Coverage is the statement coverage of a Go module.
type Coverage struct {
	Statements int            `json:"statements"`
	Covered    int            `json:"covered"`
	Files      []FileCoverage `json:"files,omitempty"`
}

// Percent returns the covered part in percent, 0 when there are no statements.
func (c *Coverage) Percent() float64 {
	if c == nil || c.Statements == 0 {
		return 0
	}
	return 100 * float64(c.Covered) / float64(c.Statements)
}

// FileCoverage is the coverage of one file.
type FileCoverage struct {
	Path       string          `json:"path"` // relative to the service, with slashes
	Package    string          `json:"package"`
	Statements int             `json:"statements"`
	Covered    int             `json:"covered"`
	Blocks     []CoverageBlock `json:"blocks,omitempty"`
}

// CoverageBlock is a run of lines with one hit count.
type CoverageBlock struct {
	From       int `json:"from"` // first line, from 1
	To         int `json:"to"`   // last line
	Statements int `json:"statements"`
	Hits       int `json:"hits"`
}

// Issue is a finding of a linter.
type Issue struct {
	Path     string `json:"path"` // relative to the service, with slashes
	Line     int    `json:"line"` // from 1
	Column   int    `json:"column,omitempty"`
	Check    string `json:"check"`    // "SA4006", "vet/printf"
	Severity string `json:"severity"` // info, minor, major, critical, blocker
	Message  string `json:"message"`
}

// Phase is a part of a stage: "ready", "tests". Phases may overlap.
type Phase struct {
	Name  string        `json:"name"`
	Start time.Duration `json:"start"` // nanoseconds after the stage's start
	Took  time.Duration `json:"took"`  // nanoseconds
}

// Layer is one layer of an image.
type Layer struct {
	Name     string `json:"name"` // what it holds: "program", "files", "base"
	Platform string `json:"platform"`
	Digest   string `json:"digest"`
	Size     int64  `json:"size"` // bytes as stored, that is compressed
}

// ClusterEvent is an event of Kubernetes.
type ClusterEvent struct {
	Time    time.Time `json:"time"`
	Type    string    `json:"type"`   // Normal or Warning
	Object  string    `json:"object"` // "pod/stock-6d5f"
	Reason  string    `json:"reason"`
	Message string    `json:"message"`
	Count   int       `json:"count"` // how often it was seen, at least 1
}

// Benchmark is one line of a Go benchmark.
type Benchmark struct {
	Package string             `json:"package"`
	Name    string             `json:"name"`
	N       int                `json:"n"`
	Values  map[string]float64 `json:"values"` // unit -> value: "ns/op", "B/op"
}
