package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

func TestStatusLine(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	running := []runningStage{{"unit", start, ""}, {"integration", start.Add(2 * time.Second), "testing"}}
	for width, want := range map[int]string{
		200: "… unit 5 s, integration 3 s: testing",
		12:  "… unit 5 s…",
		0:   "… unit 5 s, integration 3 s: testing",
	} {
		if got := statusLine(running, start.Add(5*time.Second), width); got != want {
			t.Errorf("width %d: %q, want %q", width, got, want)
		}
	}
	if got := statusLine(nil, start, 80); got != "" {
		t.Errorf("with nothing running: %q", got)
	}
}

func TestStatusViewLeavesOnlyThePlainLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	v := newStatusView(&out, newPlainView(&out, true), func() int { return 80 })
	v.Observe(pipeline.Event{Type: pipeline.EventRun, Plan: []string{"a/unit"}})
	v.Observe(pipeline.Event{Type: pipeline.EventStart, Node: "a/unit"})
	v.Observe(pipeline.Event{Type: pipeline.EventSay, Node: "a/unit", Text: "testing"})
	v.Observe(pipeline.Event{Type: pipeline.EventFinish, Node: "a/unit", Result: &pipeline.Result{
		Node: "a/unit", Kind: "unit", Status: pipeline.Passed, Duration: time.Second, Message: "3 tests",
	}})
	v.close()
	if !strings.Contains(out.String(), "… unit 0 s: testing") {
		t.Errorf("the line was never drawn: %q", out.String())
	}
	if got, want := onScreen(out.String()), "  unit  passed           1.0 s  3 tests\n"; got != want {
		t.Errorf("on the screen stays %q, want %q", got, want)
	}
}

// onScreen is what a terminal shows in the end: what stands before an erasure
// in the same line is gone.
func onScreen(s string) string {
	var screen strings.Builder
	for line := range strings.Lines(s) {
		if i := strings.LastIndex(line, "\x1b[K"); i >= 0 {
			line = line[i+len("\x1b[K"):]
		}
		screen.WriteString(line)
	}
	return screen.String()
}
