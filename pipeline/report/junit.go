package report

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

const (
	// maxJUnit is the size of one file in bytes; GitLab reads less than 30 MB.
	maxJUnit = 28_000_000
	// maxJUnits is the size of all files; GitLab reads 100 MB in a job.
	maxJUnits = 95_000_000
	// maxOutput is how much of a test's output is kept if there is room,
	// minOutput what is kept in any case, in bytes.
	maxOutput = 64 << 10
	minOutput = 256
	// maxName bounds the name of a test or a package, in bytes.
	maxName = 1000
)

// testcase is an element of that name. There are no `type` attributes: GitLab's
// reader would take them for the type of the content.
type testcase struct {
	XMLName   xml.Name `xml:"testcase"`
	Class     string   `xml:"classname,attr"`
	Name      string   `xml:"name,attr"`
	File      string   `xml:"file,attr,omitempty"`
	Time      string   `xml:"time,attr"`
	Failure   *outcome `xml:"failure"`
	Error     *outcome `xml:"error"`
	Skipped   *outcome `xml:"skipped"`
	important bool     // not the first to be left out
}

type outcome struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// JUnit writes the tests of the stages, one test suite each. The class of a
// test is "SERVICE/STAGE:PACKAGE", so that GitLab, which keeps only the first
// of equal pairs of class and name, keeps all.
//
// A stage that is red although no test failed (a build, a coverage too low) is
// one more test with the stage's name: failed, an error when it could not be
// tested, since that opens no gate, or skipped when it was skipped or
// cancelled, or waived and has no tests. A stage that passed or does not apply
// is only its tests; when nothing is left to say nothing is written.
func JUnit(w io.Writer, stages ...Stage) error {
	return Run{Stages: stages}.junit(w, maxJUnit)
}

// junitFiles makes the files of the stages that have something to say: at least
// one per stage, each of at most one bytes, in all of at most all bytes.
func (run Run) junitFiles(one, all int) []file {
	var files []file
	used := map[string]bool{}
	for _, s := range run.suites(all) {
		name := "junit-" + fileName(s.stage.Service) + "-" + fileName(s.stage.Kind)
		for _, part := range s.parts(one) {
			files = append(files, file{free(used, name, ".xml"), document(part)})
		}
	}
	return files
}

// free returns the name with a number before the extension if it is in use:
// a-b/c and a/b-c make the same one.
func free(used map[string]bool, name, ext string) string {
	full := name + ext
	for i := 2; used[full]; i++ {
		full = name + "." + strconv.Itoa(i) + ext
	}
	used[full] = true
	return full
}

func (c testcase) kind() string {
	switch {
	case c.Failure != nil:
		return "failure"
	case c.Error != nil:
		return "error"
	case c.Skipped != nil:
		return "skipped"
	}
	return "passed"
}

// distinguish gives the test another name if its pair of class and name is in
// use. GitLab joins the two by "_", so that is what must differ.
func (c *testcase) distinguish(seen map[string]int) {
	name, key := c.Name, c.Class+"_"+c.Name
	for seen[c.Class+"_"+c.Name] > 0 {
		seen[key]++
		c.Name = fmt.Sprintf("%s (%d)", name, seen[key])
	}
	seen[c.Class+"_"+c.Name] = 1
}

// cases returns the tests of a stage, and the stage itself where it is one.
func (run Run) cases(s Stage, limit int) []testcase {
	var cases []testcase
	failed := false
	if s.Findings != nil {
		for _, t := range s.Findings.Tests {
			cases = append(cases, run.testCase(s, t, limit))
			failed = failed || t.Status == pipeline.TestFailed
		}
	}
	if len(cases) == 0 || !failed && s.Status != pipeline.Waived {
		cases = append(cases, s.ownCase(limit)...)
	}
	return cases
}

func (run Run) testCase(s Stage, t pipeline.Test, limit int) testcase {
	c := testcase{
		Class: oneLine(bound(s.Service+"/"+s.Kind)) + ":" + oneLine(bound(t.Package)),
		Name:  cmp.Or(oneLine(bound(t.Name)), "(no name)"),
		Time:  seconds(t.Time),
	}
	if name, ok := run.repoPath(s, t.File); ok && t.File != "" {
		c.File = name
	}
	text := clean(shorten(t.Output, limit))
	if strings.TrimSpace(text) == "" {
		text = "no output"
	}
	switch t.Status {
	case pipeline.TestPassed:
	case pipeline.TestSkipped:
		c.Skipped, c.important = &outcome{"skipped", text}, true
	default:
		c.Failure, c.important = &outcome{"failed", text}, true
	}
	return c
}

// ownCase returns the stage as a test: none when there is nothing to say.
func (s Stage) ownCase(limit int) []testcase {
	message := cmp.Or(oneLine(bound(s.Message)), oneLine(string(s.Status)), "no status")
	o := &outcome{message, cmp.Or(strings.TrimSpace(clean(shorten(s.Cause, limit))), message)}
	c := testcase{Class: oneLine(bound(s.Service + "/" + s.Kind)), Name: oneLine(bound(s.Kind)), Time: seconds(s.Duration), important: true}
	switch s.Status {
	case pipeline.Passed, pipeline.Inapplicable:
		return nil
	case pipeline.Failed:
		c.Failure = o
	case pipeline.Skipped, pipeline.Cancelled, pipeline.Waived:
		o.Message = string(s.Status) + ": " + o.Message
		c.Skipped = o
	default:
		c.Error = o
	}
	return []testcase{c}
}

// bound shortens a name; what is cut is counted, so that most stay different.
func bound(name string) string {
	if len(name) <= maxName {
		return name
	}
	end := maxName
	for end > 0 && !utf8.RuneStart(name[end]) {
		end--
	}
	return fmt.Sprintf("%s... (%d bytes more)", name[:end], len(name)-end)
}

func seconds(d time.Duration) string {
	return strconv.FormatFloat(max(0, d.Seconds()), 'f', 3, 64)
}

// escape returns text for the value of an XML attribute.
func escape(text string) string {
	var b bytes.Buffer
	xml.EscapeText(&b, []byte(clean(text)))
	return b.String()
}
