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
	w       io.Writer
	single  bool
	names   int // width of the longest name
	warned  map[string]string
	palette palette
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
		v.note(e, "will not run: ")
	case pipeline.EventWait:
		v.note(e, "waits ")
	case pipeline.EventRetry:
		v.note(e, "tries again: ")
	case pipeline.EventFinish:
		v.finish(e.Result)
	}
}

// note prints what happens to a stage that has not ended.
func (v *plainView) note(e pipeline.Event, what string) {
	fmt.Fprintf(v.w, "  %-*s  %s%s\n", v.names, v.name(e.Node), what, printable(e.Text))
}

func (v *plainView) name(node string) string {
	if _, kind, ok := strings.Cut(node, "/"); ok && v.single {
		return kind
	}
	return node
}

func (v *plainView) finish(r *pipeline.Result) {
	took := seconds(r.Duration)
	if r.UpToDate || r.Duration < time.Millisecond {
		took = ""
	}
	message := r.Message
	if message != "" && message == v.warned[r.Node] {
		message = "see above"
	}
	fmt.Fprintln(v.w, v.row(r.Node, stateOf(r), took, printable(message)))
	if r.Cause != "" {
		fmt.Fprintln(v.w, indent(printable(r.Cause), "      "))
	}
	if !r.Status.Opens() && r.Log != "" {
		fmt.Fprintf(v.w, "      log: %s\n", relative(r.Log))
	}
	if r.Left != "" {
		fmt.Fprintf(v.w, "      left behind: %s\n", printable(r.Left))
	}
}

// stateWidth is the width of the two columns for a state, to the left, and a
// time, to the right: "not applicable", a space and "118.0 s".
const stateWidth = 14 + 1 + 7

// row returns the line of a stage. A long time takes its place from the column
// of the state.
func (v *plainView) row(node, state, took, text string) string {
	gap := strings.Repeat(" ", max(1, stateWidth-len(state)-len(took)))
	line := fmt.Sprintf("  %-*s  %s%s%s  %s", v.names, v.name(node), v.palette.paint(colourOf(state), state), gap, took, text)
	return strings.TrimRight(line, " ")
}

// upToDate is the state of a stage that has passed before.
const upToDate = "up to date"

// stateOf returns the state of a result in words.
func stateOf(r *pipeline.Result) string {
	if r.UpToDate && r.Status == pipeline.Passed {
		return upToDate
	}
	return string(r.Status)
}

// widest is the length at which a foreign line is cut, in characters.
const widest = 240

// printable makes foreign text harmless for a terminal: no control characters
// (a test may print colours, or clear the screen), no endless lines.
func printable(text string) string {
	lines := strings.Split(harmless(text), "\n")
	for i, line := range lines {
		if runes := []rune(line); len(runes) > widest {
			lines[i] = string(runes[:widest]) + "…"
		}
	}
	return strings.Join(lines, "\n")
}

// harmless removes the characters that move the cursor or turn the direction of
// the text, but for the ends of lines and tabs.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			return -1
		}
		return r
	}, text)
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
