package cli

import (
	"strings"
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

func TestLiveFollowsTheSize(t *testing.T) {
	t.Parallel()
	l := newLiveTest(t, 100, 24, false, "a/integration", "a/unit")
	l.start("a/integration", "a/unit")
	l.node(pipeline.EventSay, "a/integration", "waiting for 3 pods: cart, stock and the database to become ready")
	l.node(pipeline.EventWarn, "a/unit", "this long line wraps and stays as it is, whatever happens to the terminal around it")
	l.after(time.Second)
	for _, size := range [][2]int{{40, 24}, {30, 6}, {100, 30}, {25, 10}, {120, 5}} {
		l.terminal.resize(size[0], size[1])
		writes := l.terminal.writes
		l.after(time.Second)
		l.after(settleTime / 2)
		if l.terminal.writes != writes {
			t.Errorf("at %v something is drawn before the size has settled", size)
		}
		l.after(settleTime)
		if got := l.terminal.text(); strings.Count(got, "done") != 1 || strings.Count(got, "\n") != 4 ||
			!strings.HasPrefix(got, "  unit         will not run: this long line wraps and stays as it is, whatever happens to the terminal around it\n") {
			t.Errorf("at %v:\n%s", size, got)
		}
	}
	l.view.close()
	if got := l.terminal.text(); strings.Count(got, "\n") != 1 {
		t.Errorf("in the end:\n%s", got)
	}
}

// TestLiveErasesOnlyItsOwn has a terminal that was narrower for a moment, and
// one that cuts lines: none of what was printed may be taken for the block.
func TestLiveErasesOnlyItsOwn(t *testing.T) {
	t.Parallel()
	for _, reflows := range []bool{true, false} {
		l := newLiveTest(t, 100, 24, false, "a/lint", "a/unit")
		l.view.reflows = reflows
		l.start("a/unit")
		l.node(pipeline.EventSay, "a/unit", strings.Repeat("testing ", 9))
		l.finish("a/lint", passed)
		l.after(time.Second)
		l.terminal.width = 30
		l.after(time.Second)
		if reflows {
			l.terminal.width = 100
		}
		l.after(time.Second)
		l.view.close()
		l.shows("  lint  passed           3.0 s  good\n")
	}
}
