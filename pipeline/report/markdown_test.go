package report

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// outside returns the text of a Markdown document that stands in no fenced
// block and no code span, as CommonMark 0.31 (sections 4.5 and 6.1) has it.
func outside(t *testing.T, doc string) string {
	t.Helper()
	var kept []string
	fence := ""
	for line := range strings.Lines(doc) {
		line = strings.TrimSuffix(line, "\n")
		ticks := regexp.MustCompile("^ {0,3}(`{3,})").FindStringSubmatch(line)
		switch {
		case fence == "" && ticks != nil:
			fence = ticks[1]
		case fence == "":
			kept = append(kept, withoutSpans(line))
		case ticks != nil && len(ticks[1]) >= len(fence) && strings.Trim(line, "` ") == "":
			fence = ""
		}
	}
	if fence != "" {
		t.Errorf("a block is not closed:\n%s", doc)
	}
	return strings.Join(kept, "\n")
}

// withoutSpans removes the code spans of one line.
func withoutSpans(line string) string {
	runs := regexp.MustCompile("`+").FindAllStringIndex(line, -1)
	var kept strings.Builder
	at := 0
	for i := 0; i < len(runs); i++ {
		for j := i + 1; j < len(runs); j++ {
			if runs[j][1]-runs[j][0] == runs[i][1]-runs[i][0] {
				kept.WriteString(line[at:runs[i][0]])
				at, i = runs[j][1], j
				break
			}
		}
	}
	return kept.String() + line[at:]
}

// inert fails when text of a test could act in the summary.
func inert(t *testing.T, doc string) {
	t.Helper()
	if m := regexp.MustCompile(`(?m)^[\s\x{200b}]*/.*$`).FindString(doc); m != "" {
		t.Errorf("the line %q is a quick action", m)
	}
	text := outside(t, doc)
	if m := regexp.MustCompile("[<>@~!$&*_\\[\\]`\\\\^{}\"']|://|#[^# \n]").FindString(text); m != "" {
		t.Errorf("%q stands outside of code in:\n%s", m, text)
	}
	for line := range strings.Lines(text) {
		if n := strings.Count(line, "|"); strings.HasPrefix(line, "| ") && n != 5 && n != 4 || !strings.HasPrefix(line, "|") && n > 0 {
			t.Errorf("a table is broken by %q", line)
		}
	}
	for _, r := range doc {
		if r < 0x20 && r != '\n' && r != '\t' || r == '\ufeff' {
			t.Errorf("character %U", r)
		}
	}
}

func markdown(t *testing.T, run Run) string {
	t.Helper()
	var b bytes.Buffer
	if err := Markdown(&b, run); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestMarkdownIsInert(t *testing.T) {
	t.Parallel()
	inert(t, markdown(t, shop()))
	inert(t, markdown(t, Run{ID: hostile, Version: hostile, Status: hostile, Stages: []Stage{{
		Service: hostile, Kind: hostile, Status: pipeline.Failed, Message: hostile, Cause: hostile, Log: hostile,
	}}}))
}

func TestMarkdownIsBounded(t *testing.T) {
	t.Parallel()
	var run Run
	for range 200 {
		run.Stages = append(run.Stages, Stage{Service: "stock", Kind: "unit", Status: pipeline.Failed, Cause: strings.Repeat(strings.Repeat("`", 500)+"\n", 500)})
	}
	doc := markdown(t, run)
	inert(t, doc)
	if len(doc) > maxSummary+100_000 || !strings.Contains(doc, "more causes are left out here") || !strings.Contains(doc, "[440 more lines]") {
		t.Errorf("%d bytes", len(doc))
	}
}

func TestInline(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"31 tests, coverage 86.2 %": "31 tests, coverage 86.2 %",
		"stock/unit":                "stock/unit",
		"unit: 3 failed":            "unit: 3 failed",
		"":                          "",
		"a\n/merge":                 "a /merge",
		"/merge":                    "` /merge `",
		"a|b":                       "` a¦b `",
		"see http://x":              "` see http://x `",
		"www.example.com":           "` www.example.com `",
		"@all":                      "` @all `",
		"x `y`":                     "`` x `y` ``",
		"<b>":                       "` <b> `",
	} {
		if got := inline(text); got != want {
			t.Errorf("inline(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzMarkdown(f *testing.F) {
	f.Add("message", "cause")
	f.Add(hostile, hostile)
	f.Add("`", "\n\n/merge\r/close\u2028/approve")
	f.Add("``` ` ``", "````\n~~~\n> x")
	f.Fuzz(func(t *testing.T, message, cause string) {
		inert(t, markdown(t, Run{ID: message, Version: cause, Status: message, Stages: []Stage{{
			Service: "stock", Kind: message, Status: pipeline.Failed, Message: message, Cause: cause, Log: message,
		}}}))
	})
}
