package gotest

import (
	"encoding/json"
	"io"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

type testKey struct{ pkg, name string }

type testState struct {
	status pipeline.TestStatus // empty while it runs
	time   time.Duration
	output text
}

type packageState struct {
	Package
	output  text
	failed  string // import path of the build that failed
	current *testState
}

// parser collects events. Not for concurrent use.
type parser struct {
	log      io.Writer
	tests    map[testKey]*testState
	order    []testKey
	packages map[string]*packageState
	paths    []string
	builds   map[string]*text
	built    []string // builds in the order of their first output
	other    text     // what is not JSON
}

func newParser(log io.Writer) *parser {
	return &parser{
		log: log, tests: map[testKey]*testState{},
		packages: map[string]*packageState{}, builds: map[string]*text{},
	}
}

func (p *parser) line(line []byte) {
	var e event
	if len(line) == 0 || line[0] != '{' || json.Unmarshal(line, &e) != nil || e.Action == "" {
		p.other.add(string(line) + "\n")
		p.print(string(line) + "\n")
		return
	}
	switch {
	case e.Action == "build-output":
		p.build(e)
	case e.Action == "build-fail" || e.Package == "":
	case e.Test == "":
		p.packageEvent(e)
	default:
		p.testEvent(e)
	}
}

func (p *parser) print(s string) { _, _ = io.WriteString(p.log, s) }

func (p *parser) build(e event) {
	t := p.builds[e.ImportPath]
	if t == nil {
		t = &text{}
		p.builds[e.ImportPath] = t
		p.built = append(p.built, e.ImportPath)
	}
	t.add(e.Output)
	p.print(e.Output)
}

func (p *parser) pkg(path string) *packageState {
	s := p.packages[path]
	if s == nil {
		s = &packageState{Package: Package{Path: path}}
		p.packages[path] = s
		p.paths = append(p.paths, path)
	}
	return s
}

func (p *parser) packageEvent(e event) {
	s := p.pkg(e.Package)
	switch e.Action {
	case "output":
		s.output.add(e.Output)
		if e.Output != "PASS\n" && e.Output != "FAIL\n" {
			p.print(e.Output)
		}
		if strings.HasPrefix(e.Output, "ok  \t") && strings.Contains(e.Output, "\t(cached)") {
			s.Cached = true
		}
	case "pass", "fail", "skip":
		s.Status, s.Time, s.failed = statusOf(e.Action), seconds(e.Elapsed), e.FailedBuild
		s.BuildFailed = e.FailedBuild != ""
	}
}

func (p *parser) testEvent(e event) {
	key := testKey{e.Package, e.Test}
	pkg := p.pkg(e.Package)
	t := p.tests[key]
	if t == nil {
		t = &testState{}
		p.tests[key] = t
		p.order = append(p.order, key)
	}
	switch e.Action {
	case "output":
		if !marker(e.Output) {
			t.output.add(e.Output)
			pkg.current = t
		}
	case "pass", "fail", "skip":
		p.ended(key, t, e)
	}
}

// ended notes a result. A test that runs several times (-count) has failed
// when it failed once.
func (p *parser) ended(key testKey, t *testState, e event) {
	t.time = seconds(e.Elapsed)
	if t.status != pipeline.TestFailed {
		t.status = statusOf(e.Action)
	}
	switch {
	case e.Action == "fail":
		p.print(t.output.String())
	case t.status == pipeline.TestPassed:
		t.output = text{}
	}
	if pkg := p.packages[key.pkg]; pkg.current == t {
		pkg.current = nil
	}
}

// marker reports whether a line of output only says what the events say too.
func marker(line string) bool {
	for _, m := range []string{"=== RUN ", "=== PAUSE ", "=== CONT ", "=== NAME "} {
		if strings.HasPrefix(line, m) {
			return true
		}
	}
	return false
}

func statusOf(action string) pipeline.TestStatus {
	switch action {
	case "pass":
		return pipeline.TestPassed
	case "skip":
		return pipeline.TestSkipped
	}
	return pipeline.TestFailed
}

func seconds(s float64) time.Duration {
	const most = 1 << 31 // seconds; keeps a nonsensical number from overflowing
	return time.Duration(min(max(s, 0), most) * float64(time.Second))
}
