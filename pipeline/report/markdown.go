package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

const (
	// maxCauseLines and maxCauseLine bound the text of one cause.
	maxCauseLines = 60
	maxCauseLine  = 400
	// maxSummary is the size from which causes are left out, in bytes; a note
	// of GitLab may have a million characters.
	maxSummary = 500_000
)

// Markdown writes the summary for people: a verdict per stage, the causes of
// those that are not green, and the coverage. Nothing that comes from tests or
// tools is ever Markdown: it stands in code spans, or in fenced blocks behind
// a gutter, so that no line of it can begin a quick action, end the block or
// mention somebody. Without stages nothing is written.
func Markdown(w io.Writer, run Run) error {
	if len(run.Stages) == 0 {
		return nil
	}
	var b bytes.Buffer
	run.headline(&b)
	b.WriteString("| Stage | Status | Time | What |\n|---|---|---:|---|\n")
	for _, s := range run.Stages {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", inline(s.Service+"/"+s.Kind), s.verdict(), duration(s.Duration), inline(s.what()))
	}
	run.causes(&b)
	run.coverage(&b)
	_, err := w.Write(b.Bytes())
	return err
}

func (run Run) headline(b *bytes.Buffer) {
	fmt.Fprintf(b, "## Pipeline: %s\n\n", inline(cmp.Or(run.Status, "unknown")))
	var parts []string
	if run.Version != "" {
		parts = append(parts, "version "+inline(run.Version))
	}
	if run.ID != "" {
		parts = append(parts, "run "+inline(run.ID))
	}
	if !run.Started.IsZero() {
		parts = append(parts, "started "+run.Started.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	if run.Duration > 0 {
		parts = append(parts, "took "+duration(run.Duration))
	}
	b.WriteString(strings.Join(parts, ", ") + "\n\n")
}

// verdict returns the status with a mark that is seen from afar.
func (s Stage) verdict() string {
	text := strings.TrimSpace(signOf(s.Status) + " " + inline(string(s.Status)))
	if s.UpToDate {
		text += ", up to date"
	}
	if s.Earlier {
		text += ", in an earlier run"
	}
	return text
}

// signOf returns a sign for a status, "" for one that is none.
func signOf(s pipeline.Status) string {
	return map[pipeline.Status]string{
		pipeline.Passed: "✅", pipeline.Failed: "❌", pipeline.Untested: "❓", pipeline.Waived: "⚠️",
		pipeline.Inapplicable: "➖", pipeline.Skipped: "⏭️", pipeline.Cancelled: "⏹️",
	}[s]
}

// what returns the one line behind a stage.
func (s Stage) what() string {
	if s.Message == "" && s.Findings != nil {
		return s.Findings.Summary
	}
	return s.Message
}

// causes writes what a person must see first of every stage that is not green.
func (run Run) causes(b *bytes.Buffer) {
	left := 0
	for _, s := range run.Stages {
		if strings.TrimSpace(s.Cause) == "" || s.Status == pipeline.Passed || s.Status == pipeline.Inapplicable {
			continue
		}
		if b.Len() > maxSummary {
			left++
			continue
		}
		fmt.Fprintf(b, "\n### %s %s\n\n", inline(s.Service+"/"+s.Kind), inline(string(s.Status)))
		if s.Message != "" {
			b.WriteString("Summary: " + inline(s.Message) + "\n\n")
		}
		b.WriteString(block(s.Cause, maxCauseLines))
		if s.Log != "" {
			b.WriteString("\nLog: " + code(run.logPath(s.Log)) + "\n")
		}
	}
	if left > 0 {
		fmt.Fprintf(b, "\n%d more causes are left out here.\n", left)
	}
}

// logPath shows the log relative to the checkout where it lies in it.
func (run Run) logPath(log string) string {
	if run.Project != "" && filepath.IsAbs(log) {
		if rel, err := filepath.Rel(run.Project, log); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
	}
	return log
}

// coverage writes one line per stage with coverage.
func (run Run) coverage(b *bytes.Buffer) {
	head := "\n| Coverage | Statements | Covered |\n|---|---:|---:|\n"
	for _, s := range run.Stages {
		if s.Findings == nil || s.Findings.Coverage == nil {
			continue
		}
		c := s.Findings.Coverage
		fmt.Fprintf(b, "%s| %s | %d | %.1f %% |\n", head, inline(s.Service+"/"+s.Kind), c.Statements, c.Percent())
		head = ""
	}
}

// duration returns a time for people: "1m3s", "1.2s", "35ms"; none is "".
func duration(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// inline returns text for a table or a heading: as it is when it is plain
// words, else as code, where neither Markdown nor HTML nor a reference acts.
func inline(text string) string {
	text = oneLine(shorten(text, maxCauseLine))
	plain := regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9 ,.()%/;+=-]|: )*$`)
	if text == "" || plain.MatchString(text) && !acting(text) {
		return text
	}
	return code(text)
}

// acting reports whether plain text has what GitLab makes a link of: an address,
// a milestone (%1.4), a commit, or an issue of another tracker (ABC-12).
func acting(text string) bool {
	return regexp.MustCompile(`(?i:www\.)|%[A-Za-z0-9]|\b[0-9a-f]{7,40}\b|\b[A-Z][A-Z0-9_]*-[0-9]`).MatchString(text)
}

// code returns one line as a code span that its content cannot end. Bars are
// replaced: even there one would end the cell of a table, and the ways to
// escape it differ between renderers.
func code(text string) string {
	text = strings.ReplaceAll(oneLine(text), "|", "¦")
	ticks := strings.Repeat("`", longest(text)+1)
	return ticks + " " + text + " " + ticks
}

// block returns text as a fenced block of so many lines. Every line stands
// behind a gutter.
func block(text string, most int) string {
	lines := strings.SplitN(strings.Trim(text, "\r\n"), "\n", most+1)
	if len(lines) > most {
		lines[most] = fmt.Sprintf("[%d more lines]", 1+strings.Count(lines[most], "\n"))
	}
	for i, line := range lines {
		line = clean(strings.TrimRight(strings.ReplaceAll(shorten(line, maxCauseLine), "\n", " "), " \t\r"))
		lines[i] = strings.TrimRight("| "+line, " ")
	}
	body := strings.Join(lines, "\n")
	fence := strings.Repeat("`", max(3, longest(body)+1))
	return fence + "text\n" + body + "\n" + fence + "\n"
}

// longest returns the length of the longest run of backticks.
func longest(text string) int {
	most, run := 0, 0
	for _, r := range text {
		if r == '`' {
			run++
		} else {
			run = 0
		}
		most = max(most, run)
	}
	return most
}
