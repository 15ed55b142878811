package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// statusView is a plain view with one more line at the bottom, for terminals:
// what is running and for how long. The line is drawn over itself.
type statusView struct {
	plain *plainView
	w     io.Writer
	width func() int

	mu      sync.Mutex
	running []runningStage // in the order of their start
	drawn   bool
	stop    chan struct{}
	stopped sync.WaitGroup
}

// runningStage is a stage between its start and its end.
type runningStage struct {
	name  string
	since time.Time
	says  string
}

// newStatusView starts to draw; close ends that.
func newStatusView(w io.Writer, plain *plainView, width func() int) *statusView {
	v := &statusView{plain: plain, w: w, width: width, stop: make(chan struct{})}
	v.stopped.Go(func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-v.stop:
				return
			case now := <-tick.C:
				v.mu.Lock()
				v.draw(now)
				v.mu.Unlock()
			}
		}
	})
	return v
}

func (v *statusView) close() {
	close(v.stop)
	v.stopped.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.erase()
}

// Observe implements pipeline.Observer.
func (v *statusView) Observe(e pipeline.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	at := slices.IndexFunc(v.running, func(r runningStage) bool { return r.name == v.plain.name(e.Node) })
	switch {
	case e.Type == pipeline.EventStart:
		v.running = append(v.running, runningStage{name: v.plain.name(e.Node), since: e.Time})
	case at >= 0 && e.Type == pipeline.EventSay:
		v.running[at].says = e.Text
	case at >= 0 && e.Type == pipeline.EventFinish:
		v.running = slices.Delete(v.running, at, at+1)
	}
	v.erase()
	v.plain.Observe(e)
	v.draw(e.Time)
}

// Write prints text that is no event (a cluster being made) above the line.
func (v *statusView) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.erase()
	return v.w.Write(p)
}

func (v *statusView) erase() {
	if v.drawn {
		fmt.Fprint(v.w, "\r\x1b[K")
		v.drawn = false
	}
}

func (v *statusView) draw(now time.Time) {
	line := statusLine(v.running, now, v.width())
	if line == "" {
		return
	}
	fmt.Fprint(v.w, "\r\x1b[K"+line)
	v.drawn = true
}

// statusLine says what is running: "… unit 4 s, integration 12 s: testing". It
// is cut to the width of the terminal.
func statusLine(running []runningStage, now time.Time, width int) string {
	if len(running) == 0 {
		return ""
	}
	var parts []string
	for _, r := range running {
		part := fmt.Sprintf("%s %d s", r.name, int(now.Sub(r.since).Seconds()))
		if r.says != "" {
			part += ": " + r.says
		}
		parts = append(parts, part)
	}
	line := []rune("… " + strings.Join(parts, ", "))
	if limit := width - 1; limit > 0 && len(line) > limit {
		line = append(line[:limit-1], '…')
	}
	return string(line)
}

// terminalWidth returns a function for the width of the terminal that w is, or
// nil when it is none.
func terminalWidth(w io.Writer) func() int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return func() int {
		width, _, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return 80
		}
		return width
	}
}
