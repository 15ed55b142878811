package command

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// addJUnit reads a JUnit report. There is no standard; what is read is common
// to Ant, surefire, pytest, jest-junit, gotestsum and their like:
// testsuite[name], nested or not, testcase[name, classname, time, file, line],
// and in it failure, error or skipped with a message and a text. Re-runs of
// surefire (rerunFailure, flakyFailure) do not change the result.
func addJUnit(data []byte, service string, f *pipeline.Findings) error {
	h := &junit{service: service, findings: f, names: map[[2]string]int{}}
	if err := walkXML(data, h); err != nil {
		return err
	}
	if !h.seen {
		return errors.New("no JUnit report: it has neither testsuites nor testsuite")
	}
	return nil
}

type junit struct {
	service  string
	findings *pipeline.Findings
	names    map[[2]string]int
	seen     bool
	suites   []string
	test     *pipeline.Test // the open testcase
	message  string         // of the open failure, error or skipped
}

func (h *junit) start(name string, attr map[string]string) error {
	switch name {
	case "testsuites":
		h.seen = true
	case "testsuite":
		h.seen = true
		h.suites = append(h.suites, attr["name"])
	case "testcase":
		return h.open(attr)
	case "failure", "error", "skipped":
		h.message = attr["message"]
	}
	return nil
}

func (h *junit) open(attr map[string]string) error {
	if len(h.findings.Tests) >= maxItems {
		return fmt.Errorf("more than %d tests", maxItems)
	}
	suite := ""
	if n := len(h.suites); n > 0 {
		suite = h.suites[n-1]
	}
	h.test = &pipeline.Test{
		Package: cmp.Or(attr["classname"], suite), Name: cmp.Or(attr["name"], "(unnamed)"),
		Status: pipeline.TestPassed, Time: seconds(attr["time"]),
	}
	switch attr["status"] { // CTest and GoogleTest
	case "disabled", "notrun", "skipped":
		h.test.Status = pipeline.TestSkipped
	}
	if file := attr["file"]; file != "" {
		h.test.File = relative(h.service, file)
	}
	if n, err := strconv.Atoi(attr["line"]); err == nil && h.test.File != "" {
		h.test.Line = max(n, 1)
	}
	return nil
}

func (h *junit) end(name, text string) error {
	switch {
	case name == "testsuite" && len(h.suites) > 0:
		h.suites = h.suites[:len(h.suites)-1]
	case h.test == nil:
	case name == "testcase":
		h.close()
	case name == "failure", name == "error":
		h.test.Status = pipeline.TestFailed
		h.say(text)
	case name == "skipped":
		if h.test.Status != pipeline.TestFailed {
			h.test.Status = pipeline.TestSkipped
		}
		h.say(text)
	}
	return nil
}

// say adds message and text; many writers repeat the one in the other.
func (h *junit) say(text string) {
	text = strings.TrimSpace(text)
	if h.message != "" && !strings.Contains(text, strings.TrimSpace(h.message)) {
		text = strings.TrimSpace(h.message + "\n" + text)
	}
	h.test.Output = bounded(strings.TrimSpace(h.test.Output + "\n" + plain(text)))
	h.message = ""
}

// close keeps the test; a name that was there before gets a number.
func (h *junit) close() {
	key := [2]string{h.test.Package, h.test.Name}
	h.names[key]++
	if n := h.names[key]; n > 1 {
		h.test.Name = fmt.Sprintf("%s #%d", h.test.Name, n)
	}
	h.findings.Tests = append(h.findings.Tests, *h.test)
	h.test = nil
}

// seconds reads a time; surefire groups thousands with commas.
func seconds(s string) time.Duration {
	const most = 1 << 31
	v, err := strconv.ParseFloat(strings.ReplaceAll(s, ",", ""), 64)
	if err != nil || math.IsNaN(v) {
		return 0
	}
	return time.Duration(min(max(v, 0), most) * float64(time.Second))
}
