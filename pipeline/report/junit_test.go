package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// suites reads JUnit independently of the writer's types.
type suites struct {
	XMLName xml.Name `xml:"testsuites"`
	Suites  []struct {
		Name     string `xml:"name,attr"`
		Tests    int    `xml:"tests,attr"`
		Failures int    `xml:"failures,attr"`
		Errors   int    `xml:"errors,attr"`
		Skipped  int    `xml:"skipped,attr"`
		Cases    []struct {
			Class   string  `xml:"classname,attr"`
			Name    string  `xml:"name,attr"`
			File    string  `xml:"file,attr"`
			Time    float64 `xml:"time,attr"`
			Failure *string `xml:"failure"`
			Error   *string `xml:"error"`
			Skipped *string `xml:"skipped"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

// strict fails when a document is not well-formed, or has an element or an
// attribute that is not allowed ("element" or "element/attribute").
func strict(t *testing.T, data []byte, allowed string) {
	t.Helper()
	words := map[string]bool{}
	for _, word := range strings.Fields(allowed) {
		words[word] = true
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("not well-formed: %v\n%.2000q", err, data)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if !words[start.Name.Local] {
			t.Errorf("element %s", start.Name.Local)
		}
		for _, a := range start.Attr {
			if !words[start.Name.Local+"/"+a.Name.Local] {
				t.Errorf("attribute %s of %s", a.Name.Local, start.Name.Local)
			}
		}
	}
}

// parseJUnit reads a report and checks what GitLab demands of every one.
func parseJUnit(t *testing.T, data []byte) suites {
	t.Helper()
	strict(t, data, `testsuites testsuite testsuite/name testsuite/tests testsuite/failures testsuite/errors testsuite/skipped testsuite/time
		testsuite/timestamp testcase testcase/classname testcase/name testcase/file testcase/time
		failure failure/message error error/message skipped skipped/message`)
	var s suites
	if err := xml.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, suite := range s.Suites {
		counts := map[string]int{}
		for _, c := range suite.Cases {
			if key := c.Class + "_" + c.Name; seen[key] || c.Name == "" {
				t.Errorf("%q %q is not unique", c.Class, c.Name)
			} else {
				seen[key] = true
			}
			if !strings.HasPrefix(c.Class, suite.Name) {
				t.Errorf("class %q lacks the stage's name %q", c.Class, suite.Name)
			}
			for kind, text := range map[string]*string{"failure": c.Failure, "error": c.Error, "skipped": c.Skipped} {
				if text != nil {
					counts[kind]++
					if strings.TrimSpace(*text) == "" {
						t.Errorf("%s of %s is empty", kind, c.Name)
					}
				}
			}
		}
		got := [4]int{suite.Tests, suite.Failures, suite.Errors, suite.Skipped}
		if want := [4]int{len(suite.Cases), counts["failure"], counts["error"], counts["skipped"]}; got != want {
			t.Errorf("counts of %s are %v, want %v", suite.Name, got, want)
		}
	}
	return s
}

func junit(t *testing.T, stages ...Stage) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := JUnit(&b, stages...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestJUnitOfStages(t *testing.T) {
	t.Parallel()
	passed := &pipeline.Findings{Tests: []pipeline.Test{{Package: "p", Name: "TestA", Status: pipeline.TestPassed}}}
	failed := &pipeline.Findings{Tests: []pipeline.Test{{Package: "p", Name: "TestA", Status: pipeline.TestFailed}}}
	tests := []struct {
		stage Stage
		want  string // kind of each test
	}{
		{Stage{Status: pipeline.Passed}, ""},
		{Stage{Status: pipeline.Inapplicable}, ""},
		{Stage{Status: pipeline.Passed, Findings: passed}, "p:TestA passed"},
		{Stage{Status: pipeline.Failed, Cause: "why"}, "unit failure(why)"},
		{Stage{Status: pipeline.Failed, Message: "coverage 10 %", Findings: passed}, "p:TestA passed, unit failure(coverage 10 %)"},
		{Stage{Status: pipeline.Failed, Findings: failed}, "p:TestA failure(no output)"},
		{Stage{Status: pipeline.Untested, Findings: passed, Cause: "gone"}, "p:TestA passed, unit error(gone)"},
		{Stage{Status: pipeline.Untested}, "unit error(not tested)"},
		{Stage{Status: pipeline.Skipped}, "unit skipped(skipped)"},
		{Stage{Status: pipeline.Cancelled}, "unit skipped(cancelled)"},
		{Stage{Status: pipeline.Waived}, "unit skipped(waived)"},
		{Stage{Status: pipeline.Waived, Findings: failed}, "p:TestA failure(no output)"},
		{Stage{}, "unit error(no status)"},
	}
	for _, test := range tests {
		test.stage.Service, test.stage.Kind = "stock", "unit"
		data := junit(t, test.stage)
		var got []string
		if len(data) > 0 {
			for _, c := range parseJUnit(t, data).Suites[0].Cases {
				text := strings.TrimPrefix(strings.TrimPrefix(c.Class, "stock/unit"), ":")
				if text != "" {
					text += ":"
				}
				text += c.Name + " "
				switch {
				case c.Failure != nil:
					text += "failure(" + *c.Failure + ")"
				case c.Error != nil:
					text += "error(" + *c.Error + ")"
				case c.Skipped != nil:
					text += "skipped(" + *c.Skipped + ")"
				default:
					text += "passed"
				}
				got = append(got, text)
			}
		}
		if strings.Join(got, ", ") != test.want {
			t.Errorf("%s: %q, want %q", test.stage.Status, got, test.want)
		}
	}
}

func TestJUnitReplacesWhatXMLForbids(t *testing.T) {
	t.Parallel()
	s := Stage{Service: "stock", Kind: "unit", Status: pipeline.Failed, Findings: &pipeline.Findings{Tests: []pipeline.Test{
		{Package: "p", Name: "Test\x00\"<&>\n\xff", Status: pipeline.TestFailed, Output: hostile},
	}}}
	c := parseJUnit(t, junit(t, s)).Suites[0].Cases[0]
	if want := "Test\u2400\"<&> \ufffd"; c.Name != want {
		t.Errorf("name %q, want %q", c.Name, want)
	}
	if !strings.HasPrefix(*c.Failure, "red \u2400 \ufffd ]]> <script>") || strings.Contains(*c.Failure, "\x1b") {
		t.Errorf("output %q", *c.Failure)
	}
}

func TestJUnitSize(t *testing.T) {
	t.Parallel()
	s := Stage{Service: "stock", Kind: "unit", Status: pipeline.Failed, Findings: &pipeline.Findings{}}
	output := strings.Repeat("<&\n", 4_000)
	for i := range 100 {
		s.Findings.Tests = append(s.Findings.Tests, pipeline.Test{Name: "TestRed/" + strconv.Itoa(i), Status: pipeline.TestFailed, Output: output})
	}
	const limit = 600_000
	var b bytes.Buffer
	if err := (Run{Stages: []Stage{s}}).junit(&b, limit); err != nil {
		t.Fatal(err)
	}
	data := b.Bytes()
	got := parseJUnit(t, data)
	if len(data) > limit || len(got.Suites[0].Cases) != 100 {
		t.Errorf("%d bytes, %d tests", len(data), len(got.Suites[0].Cases))
	}
	if text := *got.Suites[0].Cases[0].Failure; !strings.Contains(text, "bytes left out") || len(text) < 1<<10 {
		t.Errorf("output of %d bytes", len(text))
	}
}

// When even short outputs are too much, those that passed are left out first.
func TestJUnitLeavesOutPassedTests(t *testing.T) {
	t.Parallel()
	s := Stage{Service: "stock", Kind: "unit", Status: pipeline.Failed, Findings: &pipeline.Findings{}}
	for i := range 2000 {
		status := pipeline.TestPassed
		if i%100 == 99 {
			status = pipeline.TestFailed
		}
		s.Findings.Tests = append(s.Findings.Tests, pipeline.Test{Name: fmt.Sprintf("Test%d", i), Status: status, Output: "red"})
	}
	var b bytes.Buffer
	if err := (Run{Stages: []Stage{s}}).junit(&b, 20_000); err != nil {
		t.Fatal(err)
	}
	got := parseJUnit(t, b.Bytes()).Suites[0]
	if b.Len() > 20_000 || got.Failures != 20 || got.Tests < 50 || !strings.Contains(b.String(), "tests left out") {
		t.Errorf("%d bytes, %d tests, %d failures", b.Len(), got.Tests, got.Failures)
	}
}

func TestLongAndEqualNames(t *testing.T) {
	t.Parallel()
	s := Stage{Service: "stock", Kind: "unit", Status: pipeline.Passed, Findings: &pipeline.Findings{}}
	for range 2000 {
		s.Findings.Tests = append(s.Findings.Tests, pipeline.Test{Name: "TestX", Status: pipeline.TestPassed})
	}
	for range 3 {
		s.Findings.Tests = append(s.Findings.Tests, pipeline.Test{Name: strings.Repeat("ä", 1<<20), Status: pipeline.TestPassed}, pipeline.Test{Name: "TestX (2)", Status: pipeline.TestPassed})
	}
	if got := parseJUnit(t, junit(t, s)); got.Suites[0].Tests != 2006 {
		t.Errorf("%d tests", got.Suites[0].Tests)
	}
}

func FuzzJUnit(f *testing.F) {
	f.Add("p", "TestA", hostile, "cause", "a.go", false)
	f.Add("", "", "", "\x00", "../../x", true)
	f.Add("a_b", "c", "]]>", "\xed\xa0\x80", "/abs", true)
	f.Fuzz(func(t *testing.T, pkg, name, output, cause, file string, fails bool) {
		status := pipeline.TestSkipped
		if fails {
			status = pipeline.TestFailed
		}
		test := pipeline.Test{Package: pkg, Name: name, Status: status, Output: output, File: file}
		findings := &pipeline.Findings{Tests: []pipeline.Test{test, test, {Package: name, Name: pkg, Status: pipeline.TestPassed}}}
		parseJUnit(t, junit(t,
			Stage{Service: "stock", Kind: "unit", Status: pipeline.Failed, Message: output, Cause: cause, Findings: findings},
			Stage{Service: "stock", Kind: "build", Status: pipeline.Untested, Message: name, Cause: cause},
		))
	})
}
