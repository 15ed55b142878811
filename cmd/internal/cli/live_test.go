package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// liveTest is a live view on a terminal in memory, with a clock that stands
// still between steps.
type liveTest struct {
	t        *testing.T
	terminal *terminal
	view     *liveView
	clock    time.Time
}

func newLiveTest(t *testing.T, width, height int, colours bool, plan ...string) *liveTest {
	l := &liveTest{t: t, terminal: newTerminal(t, width, height), clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	l.view = newLiveView(l.terminal, newPlainView(nil, isSingle(plan)), liveOptions{
		size: l.terminal.size, reflows: true, colours: colours, now: func() time.Time { return l.clock },
	})
	l.event(pipeline.Event{Type: pipeline.EventRun, Plan: plan})
	return l
}

func isSingle(plan []string) bool {
	for _, node := range plan {
		if serviceOf(node) != serviceOf(plan[0]) {
			return false
		}
	}
	return true
}

func (l *liveTest) event(e pipeline.Event) {
	e.Time = l.clock
	l.view.Observe(e)
}

func (l *liveTest) node(kind pipeline.EventType, node, text string) {
	l.event(pipeline.Event{Type: kind, Node: node, Text: text})
}

func (l *liveTest) start(nodes ...string) {
	for _, n := range nodes {
		l.node(pipeline.EventStart, n, "")
	}
}

func (l *liveTest) finish(node string, r pipeline.Result) {
	r.Node = node
	l.event(pipeline.Event{Type: pipeline.EventFinish, Node: node, Result: &r})
}

// after lets time pass and draws, as a tick does.
func (l *liveTest) after(d time.Duration) {
	l.clock = l.clock.Add(d)
	l.view.draw()
}

func (l *liveTest) shows(want string) {
	l.t.Helper()
	if diff := cmp.Diff(want, l.terminal.text()); diff != "" {
		l.t.Errorf("the screen differs (-want +got):\n%s", diff)
	}
	if l.terminal.col != 0 {
		l.t.Errorf("the cursor is in column %d", l.terminal.col)
	}
}

// passed is a result of three seconds.
var passed = pipeline.Result{Status: pipeline.Passed, Duration: 3 * time.Second, Message: "good"}

func TestLiveShowsWhatRuns(t *testing.T) {
	t.Parallel()
	l := newLiveTest(t, 80, 24, false, "a/build", "a/lint", "a/unit", "a/container")
	l.start("a/build", "a/lint", "a/unit")
	l.node(pipeline.EventSay, "a/build", "compiling\tfor\namd64")
	l.node(pipeline.EventSay, "a/unit", "testing")
	l.after(3 * time.Second)
	l.shows(`  build      running            3 s  compiling for amd64
  lint       running            3 s
  unit       running            3 s  testing
  ▒▒▒░  0 of 4 done · 3 s
`)
	l.finish("a/lint", passed)
	l.finish("a/container", pipeline.Result{Status: pipeline.Passed, UpToDate: true, Message: "in place"})
	l.after(time.Second)
	l.shows(`  lint       passed           3.0 s  good
  container  up to date              in place
  build      running            4 s  compiling for amd64
  unit       running            4 s  testing
  ██▒▒  2 of 4 done, 1 up to date · 4 s
`)
	l.finish("a/unit", passed)
	l.finish("a/build", passed)
	l.event(pipeline.Event{Type: pipeline.EventEnd})
	l.view.close()
	l.shows(`  lint       passed           3.0 s  good
  container  up to date              in place
  unit       passed           3.0 s  good
  build      passed           3.0 s  good
`)
}

func TestLiveGroupsServices(t *testing.T) {
	t.Parallel()
	l := newLiveTest(t, 80, 24, false, "cart/build", "stock/build", "cart/unit", "stock/unit")
	l.start("stock/build", "cart/build", "stock/unit", "cart/unit")
	l.after(time.Second)
	l.shows(`  cart/build   running            1 s
  cart/unit    running            1 s
  stock/build  running            1 s
  stock/unit   running            1 s
  ▒▒▒▒  0 of 4 done · 1 s
`)
}

func TestLiveWaitsAndTriesAgain(t *testing.T) {
	t.Parallel()
	l := newLiveTest(t, 80, 24, false, "a/unit")
	l.node(pipeline.EventWait, "a/unit", "for run 7")
	l.after(2 * time.Second)
	l.shows(`  unit  waits for run 7
  unit  waiting            2 s  for run 7
  ▒  0 of 1 done · 2 s
`)
	l.start("a/unit")
	l.after(time.Second)
	l.node(pipeline.EventRetry, "a/unit", "no route to\x1b[2J host")
	l.after(time.Second)
	l.shows(`  unit  waits for run 7
  unit  tries again: no route to[2J host
  unit  try 2              2 s  no route to[2J host
  ▒  0 of 1 done · 4 s
`)
	l.node(pipeline.EventSay, "a/unit", "testing")
	l.after(119 * time.Second)
	l.shows(`  unit  waits for run 7
  unit  tries again: no route to[2J host
  unit  try 2       2 min 01 s  testing
  ▒  0 of 1 done · 2 min 03 s
`)
	l.finish("a/unit", pipeline.Result{Status: pipeline.Passed, Duration: 123 * time.Second, Message: "good"})
	l.view.close()
	l.shows(`  unit  waits for run 7
  unit  tries again: no route to[2J host
  unit  passed      2 min 03 s  good
`)
}

func TestLiveShowsWhatIsHeld(t *testing.T) {
	t.Parallel()
	l := newLiveTest(t, 80, 24, false, "a/build", "a/container")
	l.start("a/build")
	l.start("a/container")
	l.after(2 * time.Second)
	l.node(pipeline.EventHold, "a/container", "for the end of a/build")
	l.after(3 * time.Second)
	l.shows(`  build      running            5 s
  container  held               2 s  for the end of a/build
  ▒▒  0 of 2 done · 5 s
`)
}

func TestLiveShowsTheCauseAtOnce(t *testing.T) {
	t.Parallel()
	l := newLiveTest(t, 60, 24, true, "a/build", "a/unit", "a/lint", "a/module")
	l.start("a/build", "a/unit")
	l.after(time.Second)
	l.finish("a/unit", pipeline.Result{
		Status: pipeline.Failed, Duration: time.Second, Message: "1 of 3 tests failed", Cause: "--- FAIL: TestAdd\n\x1b[31mgot 1\x1b[0m", Log: "/x/unit.log",
	})
	l.finish("a/lint", pipeline.Result{Status: pipeline.Skipped, Message: "because a/unit failed"})
	l.after(time.Second)
	want := `  unit    <31:failed>           1.0 s  1 of 3 tests failed
      --- FAIL: TestAdd
      [31mgot 1[0m
      log: /x/unit.log
  lint    <2:skipped>                 because a/unit failed
`
	block := `  build   <2:running>            2 s
  <31:█><33:█▒><2:░>  2 of 4 done, <31:1 failed>, <2:1 skipped> · 2 s
`
	if diff := cmp.Diff(want+block, l.terminal.painted()); diff != "" {
		t.Errorf("the screen differs (-want +got):\n%s", diff)
	}
	l.view.close()
	if diff := cmp.Diff(want, l.terminal.painted()); diff != "" {
		t.Errorf("what stays differs (-want +got):\n%s", diff)
	}
}

func TestLiveFitsTheTerminal(t *testing.T) {
	t.Parallel()
	var plan []string
	for i := range 30 {
		plan = append(plan, fmt.Sprintf("a/s%02d", i))
	}
	for height, want := range map[int]string{
		12: "  s00     1 s  測…\n  s01     1 s  測…\n  s02     1 s  測…\n  s03     1 s  測…\n  … and 26 more\n  0 of 30 done · 1…\n",
		4:  "  s00     1 s  測…\n  … and 29 more\n  0 of 30 done · 1…\n",
		2:  "  0 of 30 done · 1…\n",
		1:  "\n",
	} {
		l := newLiveTest(t, 20, height, false, plan...)
		l.start(plan...)
		for _, node := range plan {
			l.node(pipeline.EventSay, node, "測試測試")
		}
		l.after(time.Second)
		l.shows(want)
		if len(l.terminal.lines) > height {
			t.Errorf("height %d: the block takes %d lines and scrolls", height, len(l.terminal.lines))
		}
	}
}

func TestLiveSummaryKeepsWhatMatters(t *testing.T) {
	t.Parallel()
	p := progress{plan: make([]string, 40), done: 30, settled: map[string]int{"failed": 1, "passed": 2, "skipped": 7, "up to date": 20}}
	for width, want := range map[int]string{
		90: "  ███████████████░░░░░  30 of 40 done, 1 failed, 7 skipped, 20 up to date · 0 s",
		60: "  30 of 40 done, 1 failed, 7 skipped, 20 up to date · 0 s",
		50: "  30 of 40 done, 1 failed, 7 skipped · 0 s",
		20: "  30 of 40 done · 0 s",
	} {
		if got := p.summary(palette{}, time.Time{}, width); got != want {
			t.Errorf("width %d: %q, want %q", width, got, want)
		}
	}
}

func TestLiveLetsTextPass(t *testing.T) {
	t.Parallel()
	l := newLiveTest(t, 80, 24, false, "a/unit")
	l.start("a/unit")
	l.after(time.Second)
	fmt.Fprint(l.view, "creating the cluster\n\x1b[1mpulling ")
	l.after(time.Second)
	l.shows("creating the cluster\n[1mpulling \n  unit  running            2 s\n  ▒  0 of 1 done · 2 s\n")
	fmt.Fprint(l.view, "10 %\rpulled\r\nstarting")
	l.after(time.Second)
	l.shows("creating the cluster\npulled\nstarting\n  unit  running            3 s\n  ▒  0 of 1 done · 3 s\n")
	l.view.close()
	l.shows("creating the cluster\npulled\nstarting\n")
	fmt.Fprint(l.view, "later\n")
	l.shows("creating the cluster\npulled\nstarting\nlater\n")
}

func TestLiveIsCalm(t *testing.T) {
	t.Parallel()
	l := newLiveTest(t, 80, 24, false, "a/unit", "a/lint")
	l.start("a/unit")
	l.finish("a/lint", passed)
	if l.terminal.writes != 0 {
		t.Errorf("%d frames within the first %v", l.terminal.writes, frameTime)
	}
	for range 20 {
		l.after(100 * time.Millisecond)
	}
	if want := 3; l.terminal.writes != want { // the first, and when a second is full
		t.Errorf("%d frames in two seconds, want %d", l.terminal.writes, want)
	}
	before := l.terminal.writes
	l.clock = l.clock.Add(time.Second)
	for i := range 1000 {
		l.node(pipeline.EventSay, "a/unit", fmt.Sprint("test ", i))
		l.clock = l.clock.Add(time.Millisecond)
	}
	if got := l.terminal.writes - before; got > 10 {
		t.Errorf("%d frames for events of one second", got)
	}
}

// TestLiveIsThePlainViewInTheEnd also gives the race detector something to see:
// ticks, events and text at once.
func TestLiveIsThePlainViewInTheEnd(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	plain := newPlainView(&want, true)
	l := newLiveTest(t, 70, 10, false, "a/build", "a/unit")
	plain.Observe(pipeline.Event{Type: pipeline.EventRun, Plan: []string{"a/build", "a/unit"}})
	ticks := make(chan time.Time)
	stopped := make(chan struct{})
	l.view.animate(ticks, func() { close(stopped) })
	writer := make(chan struct{})
	go func() {
		defer close(writer)
		for range 50 {
			fmt.Fprint(l.view, "text ")
			ticks <- time.Time{}
		}
	}()
	for _, e := range []pipeline.Event{
		{Type: pipeline.EventWarn, Node: "a/unit", Text: "no database"},
		{Type: pipeline.EventStart, Node: "a/build"},
		{Type: pipeline.EventSay, Node: "a/build", Text: "compiling"},
		{Type: pipeline.EventFinish, Node: "a/build", Result: &pipeline.Result{Node: "a/build", Status: pipeline.Failed, Message: "red", Cause: strings.Repeat("long ", 60), Left: "a file"}},
		{Type: pipeline.EventFinish, Node: "a/unit", Result: &pipeline.Result{Node: "a/unit", Status: pipeline.Untested, Message: "no database"}},
	} {
		l.view.Observe(e)
		plain.Observe(e)
	}
	<-writer
	l.view.close()
	<-stopped
	fmt.Fprintln(&want, strings.Repeat("text ", 50))
	if diff := cmp.Diff(want.String(), l.terminal.text()); diff != "" {
		t.Errorf("what stays differs (-plain +live):\n%s", diff)
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line    string
		columns int
		want    string
	}{
		{"unit", 4, "unit"}, {"units", 4, "uni…"}, {"unit", 0, ""}, {"unit", -1, ""}, {"", 0, ""},
		{"測試", 4, "測試"}, {"測試", 3, "測…"}, {"測試", 2, "…"}, {"e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"},
		{"\x1b[31mfailed\x1b[m", 6, "\x1b[31mfailed\x1b[m"}, {"\x1b[31mfailed\x1b[m!", 6, "\x1b[31mfaile…\x1b[m"},
		{"\x1b[", 1, "…"}, {"\xff\xff", 1, "…"},
	} {
		if got := cut(c.line, c.columns); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.line, c.columns, got, c.want)
		}
	}
}
