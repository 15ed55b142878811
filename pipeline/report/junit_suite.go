package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math"
)

// junit writes one document of at most limit bytes.
func (run Run) junit(w io.Writer, limit int) error {
	suites := run.suites(limit)
	if len(suites) == 0 {
		return nil
	}
	_, err := w.Write(document(suites...))
	return err
}

// document is a report with these suites.
func document(suites ...suite) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header + "<testsuites>\n")
	for _, s := range suites {
		s.write(&b)
	}
	b.WriteString("</testsuites>\n")
	return b.Bytes()
}

// suite is the tests of a stage, and each as XML.
type suite struct {
	stage Stage
	cases []testcase
	texts [][]byte
}

// frameSize is an upper bound of a suite without its tests, and of the document
// around it, in bytes.
const frameSize = 8 * maxName

// suites returns the suites of all stages that have tests, which take at most
// limit bytes: it shortens outputs first, then leaves out tests that passed,
// then others; a test that is skipped says how many.
func (run Run) suites(limit int) []suite {
	for output := maxOutput; output > minOutput; output /= 4 {
		if suites, fits := run.encode(output, limit); fits {
			return suites
		}
	}
	suites, _ := run.encode(minOutput, math.MaxInt)
	trim(suites, limit)
	return suites
}

// encode makes all suites, with outputs of at most that length, and reports
// whether they take no more than limit bytes.
func (run Run) encode(output, limit int) (suites []suite, fits bool) {
	size, seen := 0, map[string]int{}
	for _, s := range run.Stages {
		one := suite{stage: s, cases: run.cases(s, output)}
		if len(one.cases) == 0 {
			continue
		}
		size += frameSize
		for i := range one.cases {
			one.cases[i].distinguish(seen)
			one.texts = append(one.texts, one.cases[i].text())
			if size += len(one.texts[i]); size > limit {
				return nil, false
			}
		}
		suites = append(suites, one)
	}
	return suites, true
}

// trim leaves out what goes beyond limit bytes: tests that matter come first in
// the choice, while the order stays.
func trim(suites []suite, limit int) {
	size := 0
	for _, s := range suites {
		size += frameSize
		for _, text := range s.texts {
			size += len(text)
		}
	}
	if size <= limit {
		return
	}
	limit -= len(suites) * (frameSize + 1000) // with the test that tells
	for _, important := range []bool{true, false} {
		for _, s := range suites {
			for i, c := range s.cases {
				if c.important != important {
					continue
				}
				if limit -= len(s.texts[i]); limit < 0 {
					s.texts[i] = nil
				}
			}
		}
	}
	for i := range suites {
		suites[i].drop()
	}
}

// drop removes the tests without a text, and adds one that says how many.
func (s *suite) drop() {
	kept := suite{stage: s.stage}
	for i, text := range s.texts {
		if text != nil {
			kept.cases, kept.texts = append(kept.cases, s.cases[i]), append(kept.texts, text)
		}
	}
	if left := len(s.cases) - len(kept.cases); left > 0 {
		message := fmt.Sprintf("%d tests left out: GitLab reads no larger report", left)
		told := testcase{Class: oneLine(bound(s.stage.Service + "/" + s.stage.Kind)), Name: message, Time: "0.000", Skipped: &outcome{message, message}}
		kept.cases, kept.texts = append(kept.cases, told), append(kept.texts, told.text())
	}
	*s = kept
}

// parts splits a suite where a file would have more than limit bytes.
func (s suite) parts(limit int) []suite {
	var parts []suite
	for start := 0; start < len(s.cases); {
		end, size := start, frameSize
		for end < len(s.cases) && (end == start || size+len(s.texts[end]) <= limit) {
			size += len(s.texts[end])
			end++
		}
		parts = append(parts, suite{s.stage, s.cases[start:end], s.texts[start:end]})
		start = end
	}
	return parts
}

func (s suite) write(b *bytes.Buffer) {
	counts := map[string]int{}
	for _, c := range s.cases {
		counts[c.kind()]++
	}
	started := ""
	if !s.stage.Started.IsZero() {
		started = s.stage.Started.UTC().Format(` timestamp="2006-01-02T15:04:05"`)
	}
	fmt.Fprintf(b, `<testsuite name="%s" tests="%d" failures="%d" errors="%d" skipped="%d" time="%s"%s>`+"\n",
		escape(bound(s.stage.Service+"/"+s.stage.Kind)), len(s.cases),
		counts["failure"], counts["error"], counts["skipped"], seconds(s.stage.Duration), started)
	for _, text := range s.texts {
		b.Write(text)
	}
	b.WriteString("</testsuite>\n")
}

// text is the test as one line of XML.
func (c testcase) text() []byte {
	text, _ := xml.Marshal(c) // such a struct can always be written
	return append(text, '\n')
}
