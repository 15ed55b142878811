package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

const (
	// maxNote bounds a note in bytes; GitLab takes a million characters.
	maxNote = 900_000
	// maxNoted bounds the stages whose cause a note shows, maxNoteLines the
	// lines of each.
	maxNoted     = 10
	maxNoteLines = 15
	// maxReasons bounds the reasons for a version.
	maxReasons = 8
)

// About is what a note says beyond the run itself.
type About struct {
	// Before are the figures to compare with, nil without any, and Ref is the
	// branch that they are of.
	Before *Figures
	Ref    string
	Next   []Next
}

// Next is the version of a service that a release would get.
type Next struct {
	Service string
	// Last is the last release, "" before the first.
	Last string
	// Version is "" when there is nothing to release.
	Version string
	// Reasons say what asks for it, the heaviest first.
	Reasons []string
}

// Note writes the run for those who review a merge request: the first lines of
// what is red, the verdict and the time of each stage, the figures and their
// change, the next version and why, and the links of the run. What is most
// important comes first; what has no room is left out, which the note tells.
// As in Markdown, nothing that comes from tests, tools or commits is ever
// Markdown. Without stages nothing is written.
func Note(w io.Writer, run Run, about About) error {
	return run.note(w, about, maxNote)
}

func (run Run) note(w io.Writer, about About, limit int) error {
	if len(run.Stages) == 0 {
		return nil
	}
	links := noteLinks(run.Links)
	n := &noteWriter{limit: limit - len(links)}
	n.headline(run)
	n.red(run)
	n.stages(run)
	n.figures(run, about)
	n.next(about.Next)
	n.b.WriteString(links)
	_, err := w.Write(n.b.Bytes())
	return err
}

// noteWriter takes what there is room for.
type noteWriter struct {
	b     bytes.Buffer
	limit int
}

// fits reports whether there is room for the text and for telling that the
// rest is left out.
func (n *noteWriter) fits(text string) bool { return n.b.Len()+len(text)+400 <= n.limit }

// add writes the parts in order as far as there is room, and how many of what
// are left out.
func (n *noteWriter) add(head string, parts []string, what string) {
	for i, part := range parts {
		if i == 0 {
			part = head + part
		}
		if !n.fits(part) {
			fmt.Fprintf(&n.b, "\n%d %s are left out here: there is no room.\n", len(parts)-i, what)
			n.limit = 0
			return
		}
		n.b.WriteString(part)
	}
}

func (n *noteWriter) headline(run Run) {
	text := "### " + strings.TrimSpace(signOf(pipeline.Status(run.Status))+" Pipeline "+inline(cmp.Or(run.Status, "unknown")))
	if services := run.services(); len(services) == 1 {
		text += ": " + inline(strings.TrimSpace(services[0]+" "+run.Stages[0].Version))
	}
	if run.Duration > 0 {
		text += ", " + duration(run.Duration)
	}
	n.add("", []string{text + "\n"}, "words")
}

// red writes the cause of stages that are not green, what failed first. What
// was skipped has its reason elsewhere.
func (n *noteWriter) red(run Run) {
	var red []Stage
	for _, status := range []pipeline.Status{pipeline.Failed, pipeline.Untested, pipeline.Cancelled} {
		for _, s := range run.Stages {
			if s.Status == status {
				red = append(red, s)
			}
		}
	}
	var parts []string
	for _, s := range red[:min(len(red), maxNoted)] {
		text := fmt.Sprintf("\n%s %s %s", signOf(s.Status), inline(s.Service+"/"+s.Kind), inline(string(s.Status)))
		if what := oneLine(s.what()); what != "" {
			text += ": " + inline(what)
		}
		text += "\n"
		if strings.TrimSpace(s.Cause) != "" {
			text += "\n" + block(s.Cause, maxNoteLines)
		}
		parts = append(parts, text)
	}
	if more := len(red) - maxNoted; more > 0 {
		parts = append(parts, fmt.Sprintf("\n%d more stages are not green; the report has their causes.\n", more))
	}
	n.add("", parts, "causes")
}

// stages writes a table: a line per stage for one service, else a line per
// service.
func (n *noteWriter) stages(run Run) {
	services := run.services()
	var rows []string
	if len(services) == 1 {
		for _, s := range run.Stages {
			rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |\n", inline(s.Kind), s.verdict(), duration(s.Duration), inline(s.what())))
		}
		n.add("\n| Stage | Verdict | Time | What |\n|---|---|---:|---|\n", rows, "stages")
		return
	}
	kinds := run.kinds()
	head := "\n| Service |"
	for _, kind := range kinds {
		head += " " + inline(kind) + " |"
	}
	head += "\n|---" + strings.Repeat("|---", len(kinds)) + "|\n"
	byName := map[[2]string]Stage{}
	for _, s := range run.Stages {
		byName[[2]string{s.Service, s.Kind}] = s
	}
	for _, service := range services {
		row := "| " + inline(service) + " |"
		for _, kind := range kinds {
			s, ok := byName[[2]string{service, kind}]
			row += " " + s.cell(ok) + " |"
		}
		rows = append(rows, row+"\n")
	}
	n.add(head, rows, "services")
}

// cell is a verdict in a narrow column; without one it is empty.
func (s Stage) cell(ok bool) string {
	if !ok {
		return ""
	}
	text := cmp.Or(signOf(s.Status), inline(string(s.Status)))
	switch {
	case s.UpToDate:
		return text + " up to date"
	case s.Status == pipeline.Passed || s.Status == pipeline.Failed:
		return strings.TrimSpace(text + " " + duration(s.Duration))
	}
	return strings.TrimSpace(text + " " + inline(string(s.Status)))
}

// kinds returns the names of the stages in the order of their first.
func (run Run) kinds() []string {
	var kinds []string
	for _, s := range run.Stages {
		if !slices.Contains(kinds, s.Kind) {
			kinds = append(kinds, s.Kind)
		}
	}
	return kinds
}

func (n *noteWriter) next(list []Next) {
	var parts []string
	for _, next := range list {
		parts = append(parts, next.text())
	}
	n.add("", parts, "versions")
}

func (next Next) text() string {
	after := ", the first release"
	if next.Last != "" {
		after = " after " + inline(next.Last)
	}
	if next.Version == "" {
		return "\nNext version of " + inline(next.Service) + ": none" + after + ", nothing asks for one.\n"
	}
	text := "\nNext version of " + inline(next.Service) + ": **" + inline(next.Version) + "**" + after
	if len(next.Reasons) == 0 {
		return text + ".\n"
	}
	text += ", because of\n\n"
	for _, reason := range next.Reasons[:min(len(next.Reasons), maxReasons)] {
		text += "- " + code(shorten(oneLine(reason), maxCauseLine)) + "\n"
	}
	if more := len(next.Reasons) - maxReasons; more > 0 {
		text += fmt.Sprintf("- and %d more\n", more)
	}
	return text
}

func noteLinks(links []Link) string {
	var list []string
	for _, link := range links {
		if address, ok := link.address(); ok {
			list = append(list, "["+inline(shorten(link.Label, maxLabel))+"]("+address+")")
		}
	}
	if len(list) == 0 {
		return ""
	}
	return "\n" + strings.Join(list, " · ") + "\n"
}
