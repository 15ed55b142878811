package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// plainView prints a line for each stage when it ends, and at once what to
// look at when it failed.
type plainView struct {
	w      io.Writer
	single bool
	names  int // width of the longest name
	warned map[string]string
}

func newPlainView(w io.Writer, single bool) *plainView {
	return &plainView{w: w, single: single, warned: map[string]string{}}
}

// Observe implements pipeline.Observer.
func (v *plainView) Observe(e pipeline.Event) {
	switch e.Type {
	case pipeline.EventRun:
		for _, n := range e.Plan {
			v.names = max(v.names, len(v.name(n)))
		}
	case pipeline.EventWarn:
		v.warned[e.Node] = e.Text
		fmt.Fprintf(v.w, "  %-*s  will not run: %s\n", v.names, v.name(e.Node), e.Text)
	case pipeline.EventWait:
		fmt.Fprintf(v.w, "  %-*s  waits %s\n", v.names, v.name(e.Node), e.Text)
	case pipeline.EventRetry:
		fmt.Fprintf(v.w, "  %-*s  tries again: %s\n", v.names, v.name(e.Node), e.Text)
	case pipeline.EventFinish:
		v.finish(e.Result)
	}
}

func (v *plainView) name(node string) string {
	if _, kind, ok := strings.Cut(node, "/"); ok && v.single {
		return kind
	}
	return node
}

func (v *plainView) finish(r *pipeline.Result) {
	state, took := string(r.Status), seconds(r.Duration)
	if r.UpToDate && r.Status == pipeline.Passed {
		state = "up to date"
	}
	if r.UpToDate || r.Duration < time.Millisecond {
		took = ""
	}
	message := r.Message
	if message != "" && message == v.warned[r.Node] {
		message = "see above"
	}
	line := fmt.Sprintf("  %-*s  %-14s %7s  %s", v.names, v.name(r.Node), state, took, printable(message))
	fmt.Fprintln(v.w, strings.TrimRight(line, " "))
	if r.Cause != "" {
		fmt.Fprintln(v.w, indent(printable(r.Cause), "      "))
	}
	if !r.Status.Opens() && r.Log != "" {
		fmt.Fprintf(v.w, "      log: %s\n", relative(r.Log))
	}
	if r.Left != "" {
		fmt.Fprintf(v.w, "      left behind: %s\n", r.Left)
	}
}

// widest is the length at which a foreign line is cut, in characters.
const widest = 240

// printable makes foreign text harmless for a terminal: no control characters
// (a test may print colours, or clear the screen), no endless lines.
func printable(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		line = strings.Map(func(r rune) rune {
			if r != '\t' && unicode.IsControl(r) {
				return -1
			}
			return r
		}, line)
		if runes := []rune(line); len(runes) > widest {
			line = string(runes[:widest]) + "…"
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+by)
}

// seconds prints a time as people say it.
func seconds(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
}

// jsonView prints every event as a line of JSON.
type jsonView struct{ enc *json.Encoder }

// Observe implements pipeline.Observer. A reader that has gone away does not
// stop the run.
func (v *jsonView) Observe(e pipeline.Event) { _ = v.enc.Encode(e) }
