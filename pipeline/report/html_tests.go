package report

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// packageView is the tests of one package in one stage.
type packageView struct {
	ID, Name string
	Note     string // what there is but failures, and the time
	Failed   int
	Open     bool
	Tests    []*testView

	skipped, all int
	time         time.Duration
}

// testView is a test. Row is the id of its line; ID that of its failure, which
// has the output, "" when there is none.
type testView struct {
	Row, ID               string
	Stage                 *stageView
	Package, Name, Status string
	Class                 string // p, f or s: there are many of them
	Took, Where           string
	Output, Why           string
}

// testLister sorts the tests of a run by stage and package.
type testLister struct {
	run                            Run
	page                           *page
	rows, failed, skipped, all     int
	packages, hidden, outputs, cut int
}

// add lists the tests of a stage.
func (l *testLister) add(v *stageView, s Stage) {
	index := map[string]*packageView{}
	for _, t := range s.Findings.Tests {
		pkg := index[t.Package]
		if pkg == nil {
			l.packages++
			pkg = &packageView{ID: "package-" + strconv.Itoa(l.packages), Name: cmp.Or(oneLine(bound(t.Package)), "(no package)")}
			index[t.Package] = pkg
			v.Packages = append(v.Packages, pkg)
		}
		l.test(v, s, pkg, t)
	}
	for _, pkg := range v.Packages {
		pkg.end()
	}
}

// test counts a test and lists it where there is room.
func (l *testLister) test(v *stageView, s Stage, pkg *packageView, t pipeline.Test) {
	l.all++
	pkg.all++
	if !strings.Contains(t.Name, "/") {
		pkg.time += max(0, t.Time) // that of its subtests is in it
	}
	view := &testView{
		Stage: v, Package: pkg.Name, Name: cmp.Or(oneLine(bound(t.Name)), "(no name)"), Took: testTime(t.Time),
		Status: string(t.Status), Class: "p",
	}
	switch t.Status {
	case pipeline.TestPassed:
	case pipeline.TestSkipped:
		l.skipped++
		pkg.skipped++
		view.Class, view.Why = "s", oneLine(shorten(t.Output, minTestOutput))
	default: // what is not known is red
		l.failed++
		pkg.Failed++
		view.Class, view.Status = "f", string(pipeline.TestFailed)
	}
	if l.rows >= maxTestRows && (view.Class != "f" || l.rows >= 2*maxTestRows) {
		l.hidden++
		return
	}
	l.rows++
	view.Row = "t" + strconv.Itoa(l.rows)
	pkg.Tests = append(pkg.Tests, view)
	if view.Class == "f" {
		l.failure(v, s, t, view)
	}
}

// failure shows a failing test with its output.
func (l *testLister) failure(v *stageView, s Stage, t pipeline.Test, view *testView) {
	if len(l.page.Failures) >= maxFailures {
		l.cut++
		return
	}
	view.ID = "f" + strconv.Itoa(len(l.page.Failures)+1)
	v.FirstFailure = cmp.Or(v.FirstFailure, view.ID)
	limit := maxTestOutput
	if l.outputs+len(t.Output) > maxTestOutputs {
		limit = minTestOutput
	}
	view.Output = strings.Trim(clean(shorten(t.Output, limit)), "\n")
	l.outputs += len(view.Output)
	if t.File != "" {
		view.Where = l.run.place(s, t.File, t.Line, 0)
	}
	l.page.Failures = append(l.page.Failures, view)
}

// end writes the sums.
func (l *testLister) end() {
	l.page.TestsNote = sums(l.all, l.failed, l.skipped)
	l.page.FailingNote = number(l.failed, "test")
	if l.cut > 0 {
		l.page.FailingNote += fmt.Sprintf(", the first %d with their output", maxFailures)
	}
	if l.hidden > 0 {
		l.page.TestsLeft = number(l.hidden, "test") + " left out here; the JUnit reports beside this page have them."
	}
}

func (p *packageView) end() {
	p.Note = sums(p.all, 0, p.skipped)
	if p.time > 0 {
		p.Note += ", " + testTime(p.time)
	}
	p.Open = p.Failed > 0 && len(p.Tests) <= 100
}

// sums writes "31 tests, 1 failed, 2 skipped".
func sums(all, failed, skipped int) string {
	text := number(all, "test")
	if failed > 0 {
		text += ", " + grouped(float64(failed)) + " failed"
	}
	if skipped > 0 {
		text += ", " + grouped(float64(skipped)) + " skipped"
	}
	return text
}

// testTime returns the time of a test, "" when none was taken.
func testTime(d time.Duration) string {
	if d > 0 && d < time.Millisecond {
		return "<1ms"
	}
	return duration(d)
}

// place writes where in the repository something is: "a/b.go:12:3". Line and
// column are left out where they are not known.
func (run Run) place(s Stage, file string, line, column int) string {
	name, ok := run.repoPath(s, file)
	if !ok {
		name = file
	}
	name = oneLine(bound(name))
	if line > 0 {
		name += ":" + strconv.Itoa(line)
	}
	if line > 0 && column > 0 {
		name += ":" + strconv.Itoa(column)
	}
	return name
}
