package gotest

import (
	"fmt"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// Package is the result of one package.
type Package struct {
	Path   string              // import path
	Status pipeline.TestStatus // skipped: it has no tests
	Time   time.Duration
	// BuildFailed packages did not compile: no test of them was executed.
	BuildFailed bool
	// Cached results were made by an earlier run with the same inputs.
	Cached bool
	// Output is the compiler's of a package that was not built, and the text
	// that belongs to no test of one that failed; at most 32 KiB and a mark.
	Output string
}

// Result is what one `go test` did.
type Result struct {
	// Tests are unique by package and name, in the order of their start. A
	// package that failed without a failed test of its own is present as a
	// failed test called "(build)" or "(package)", so that reports show it.
	Tests    []pipeline.Test
	Packages []Package
	// Passed, Failed and Skipped count tests and sub-tests, not packages.
	Passed, Failed, Skipped int

	other   string // output of the go command itself
	command *proc.Error
}

// Names of the stand-ins for packages that failed as a whole.
const (
	buildTest   = "(build)"
	packageTest = "(package)"
)

// finish ends the stream. Tests that have begun and not ended when their
// package failed, failed too: a panic, a deadline or os.Exit took them along.
func (p *parser) finish() *Result {
	r := &Result{other: p.other.String()}
	red := map[string]bool{}
	for _, key := range p.order {
		t := p.tests[key]
		if t.status == "" {
			t.status = pipeline.TestFailed
			p.print(fmt.Sprintf("--- FAIL: %s (did not end)\n%s", key.name, t.output.String()))
			if t != p.packages[key.pkg].current {
				t.output.add("the test binary ended before this test did\n")
			}
		}
		r.add(key, t)
		red[key.pkg] = red[key.pkg] || t.status == pipeline.TestFailed
	}
	used := map[string]bool{}
	for _, path := range p.paths {
		r.addPackage(p, p.packages[path], red[path], used)
	}
	p.orphans(r, used)
	return r
}

func (r *Result) add(key testKey, t *testState) {
	test := pipeline.Test{Package: key.pkg, Name: key.name, Status: t.status, Time: t.time}
	switch t.status {
	case pipeline.TestPassed:
		r.Passed++
	case pipeline.TestSkipped:
		r.Skipped++
		test.Output = t.output.String()
	default:
		r.Failed++
		test.Output = t.output.String()
		test.File, test.Line = location(test.Output)
	}
	r.Tests = append(r.Tests, test)
}

func (r *Result) addPackage(p *parser, s *packageState, red bool, used map[string]bool) {
	if s.Status == pipeline.TestFailed || s.Status == "" {
		s.Output = s.output.String()
		if t := p.builds[s.failed]; t != nil {
			s.Output, used[s.failed] = t.String(), true
		} else if notBuilt(s.Output) { // before Go 1.24 the reason is plain text
			s.BuildFailed = true
			s.Output = p.other.String()
		}
		if s.Status == "" && !red { // the stream broke off
			s.Output += "the run ended before this package did\n"
		}
		s.Status = pipeline.TestFailed
		if !red {
			r.standIn(s.Package)
		}
	}
	r.Packages = append(r.Packages, s.Package)
}

// notBuilt reports whether go test says so of a package.
func notBuilt(output string) bool {
	return strings.Contains(output, " [build failed]\n") || strings.Contains(output, " [setup failed]\n")
}

// standIn adds a failed test for a package that has none.
func (r *Result) standIn(s Package) {
	t := pipeline.Test{Package: s.Path, Name: packageTest, Status: pipeline.TestFailed, Time: s.Time, Output: s.Output}
	if s.BuildFailed {
		t.Name = buildTest
	}
	t.File, t.Line = location(s.Output)
	r.Tests = append(r.Tests, t)
}

// orphans adds the builds that failed without a package that says so, as `go
// vet` inside of `go test` and old versions of Go do.
func (p *parser) orphans(r *Result, used map[string]bool) {
	for _, path := range p.built {
		if !used[path] {
			r.other += p.builds[path].String()
		}
	}
}

// plain adds text that the go command wrote beside the stream.
func (r *Result) plain(s string) { r.other = s + r.other }

// text returns everything that the go command itself said.
func (r *Result) text() string {
	var b strings.Builder
	b.WriteString(r.other)
	for _, p := range r.Packages {
		if p.BuildFailed {
			b.WriteString(p.Output)
		}
	}
	return b.String()
}

// Executed returns how many tests ran to a verdict; skipped ones did not.
func (r *Result) Executed() int { return r.Passed + r.Failed }

// Summary is one line of counts for a green run: "31 tests, 2 skipped".
func (r *Result) Summary() string {
	s := count(r.Executed(), "test")
	if r.Skipped > 0 {
		s += fmt.Sprintf(", %d skipped", r.Skipped)
	}
	return s
}

// Err returns the verdict: a *pipeline.Failure when something is red, a
// *pipeline.NotTested when no test was executed, else nil. level names the
// kind of tests: "unit", "module", "integration".
func (r *Result) Err(level string) error {
	if f := r.Failure(); f != nil {
		return f
	}
	if r.Executed() > 0 {
		return nil
	}
	e := &pipeline.NotTested{Why: fmt.Sprintf("no %s test was executed", level)}
	switch {
	case r.Skipped > 0:
		e.Why += fmt.Sprintf(" (%d skipped)", r.Skipped)
		e.Remedy = "see in the log why they were skipped"
	case level == "unit":
		e.Remedy = "write a test in a _test.go file without a build tag"
	default:
		e.Remedy = fmt.Sprintf("write a test in a _test.go file that begins with //go:build %s", level)
	}
	return e
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
