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
	// maxOutput is how much of a test's output is kept if there is room.
	maxOutput = 64 << 10
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

// junitFiles makes one file per stage that has something to say.
func (run Run) junitFiles() []file {
	var files []file
	used := map[string]bool{}
	limit := min(maxJUnit, maxJUnits/max(1, len(run.Stages)))
	for _, s := range run.Stages {
		one := run
		one.Stages = []Stage{s}
		var b bytes.Buffer
		one.junit(&b, limit) // a buffer takes everything
		if b.Len() > 0 {
			files = append(files, file{free(used, "junit-"+fileName(s.Service)+"-"+fileName(s.Kind), ".xml"), b.Bytes()})
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

// junit writes at most limit bytes: it shortens outputs first, then leaves out
// tests that passed, then others, and says how many.
func (run Run) junit(w io.Writer, limit int) error {
	var b bytes.Buffer
	for output := maxOutput; ; output /= 4 {
		if !run.encode(&b, output, -1) {
			return nil
		}
		if b.Len() <= limit || output < 256 {
			break
		}
		b.Reset()
	}
	if b.Len() > limit {
		b.Reset()
		run.encode(&b, 256, limit)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// encode writes all suites, with outputs of at most that length; limit, unless
// it is negative, bounds the whole. It reports whether there is a test.
func (run Run) encode(b *bytes.Buffer, output, limit int) bool {
	b.WriteString(xml.Header + "<testsuites>\n")
	seen := map[string]int{}
	any := false
	for i, s := range run.Stages {
		cases := run.cases(s, output)
		if len(cases) == 0 {
			continue
		}
		any = true
		for i := range cases {
			cases[i].distinguish(seen)
		}
		share := -1
		if limit >= 0 {
			share = (limit - b.Len() - 1000) / (len(run.Stages) - i)
		}
		encodeSuite(b, s, cases, share)
	}
	b.WriteString("</testsuites>\n")
	return any
}

// encodeSuite writes one suite. With a limit, tests that matter come first in
// the choice, while the order stays.
func encodeSuite(b *bytes.Buffer, s Stage, cases []testcase, limit int) {
	texts := make([][]byte, len(cases))
	for i := range cases {
		texts[i], _ = xml.Marshal(cases[i]) // such a struct can always be written
	}
	left := 0
	if limit >= 0 {
		left = choose(cases, texts, limit-2000)
	}
	counts := map[string]int{}
	for i, c := range cases {
		if texts[i] != nil {
			counts[c.kind()]++
		}
	}
	started := ""
	if !s.Started.IsZero() {
		started = s.Started.UTC().Format(` timestamp="2006-01-02T15:04:05"`)
	}
	fmt.Fprintf(b, `<testsuite name="%s" tests="%d" failures="%d" errors="%d" skipped="%d" time="%s"%s>`+"\n",
		escape(s.Service+"/"+s.Kind), counts["failure"]+counts["error"]+counts["skipped"]+counts["passed"],
		counts["failure"], counts["error"], counts["skipped"], seconds(s.Duration), started)
	for _, text := range texts {
		if text != nil {
			b.Write(append(text, '\n'))
		}
	}
	if left > 0 {
		fmt.Fprintf(b, "<!-- %d tests left out: GitLab reads no larger file -->\n", left)
	}
	b.WriteString("</testsuite>\n")
}

// choose sets the texts to nil that do not fit, and returns how many.
func choose(cases []testcase, texts [][]byte, limit int) (left int) {
	for _, important := range []bool{true, false} {
		for i := range cases {
			if cases[i].important != important {
				continue
			}
			if limit -= len(texts[i]) + 1; limit < 0 {
				texts[i] = nil
				left++
			}
		}
	}
	return left
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
		Class: oneLine(s.Service+"/"+s.Kind) + ":" + oneLine(bound(t.Package)),
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
	c := testcase{Class: oneLine(s.Service + "/" + s.Kind), Name: oneLine(s.Kind), Time: seconds(s.Duration), important: true}
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
