package cli

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// frameTime is the least time between two frames.
const frameTime = 100 * time.Millisecond

// settleTime is how long nothing is drawn after the size has changed: while a
// window is pulled, and while a multiplexer tells an old size, the view would
// take wrong lines for its own.
const settleTime = 300 * time.Millisecond

// liveView is the view of a run on a terminal. What a plain view prints scrolls
// away, so that the scrollback is the full record; below it stands a block that
// is drawn over itself: a line for each stage that runs, and one that sums up.
//
// Each frame is one write. It leaves the cursor at the beginning of the line
// under the block: whatever ends the program, the shell goes on there. Only
// what all terminals have is used: up, erase to the end of the line and of the
// screen, and colours. The size is asked for before each frame.
type liveView struct {
	liveOptions
	w       io.Writer
	plain   *plainView // prints into above
	stop    chan struct{}
	stopped sync.WaitGroup

	mu       sync.Mutex
	progress progress
	above    bytes.Buffer // what the next frame prints above the block
	unended  []byte       // the beginning of a line that was written so far
	block    []string     // the lines on the screen
	drawn    time.Time
	closed   bool

	width, height int
	resized       time.Time // when they were seen to have changed
}

// liveOptions are what a live view has to know of the world.
type liveOptions struct {
	// size returns the columns and lines of the terminal.
	size func() (width, height int)
	// reflows tells whether the terminal breaks its lines anew when its width
	// changes, as most do.
	reflows bool
	colours bool
	now     func() time.Time
}

// newLiveView returns a view that takes the plain one over. It draws when
// something happens; animate lets it do so while time passes.
func newLiveView(w io.Writer, plain *plainView, o liveOptions) *liveView {
	v := &liveView{liveOptions: o, w: w, plain: plain, stop: make(chan struct{})}
	plain.w, plain.palette = &v.above, palette{o.colours}
	return v
}

// animate draws on each tick until close, and then calls done.
func (v *liveView) animate(tick <-chan time.Time, done func()) {
	v.stopped.Go(func() {
		defer done()
		for {
			select {
			case <-v.stop:
				return
			case <-tick:
				v.mu.Lock()
				v.draw()
				v.mu.Unlock()
			}
		}
	})
}

// close erases the block and ends the drawing; what is written later passes.
func (v *liveView) close() {
	close(v.stop)
	v.stopped.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.unended) > 0 {
		v.above.WriteString(shown(v.unended) + "\n")
		v.unended = nil
	}
	v.progress.ended = true
	v.draw()
	v.closed = true
}

// Observe implements pipeline.Observer.
func (v *liveView) Observe(e pipeline.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.progress.apply(e)
	v.plain.Observe(e)
	if e.Type == pipeline.EventRun {
		v.drawn = v.now() // a run in which all is up to date ends before a frame
	}
	v.refresh()
}

// Write prints text that is no event (a cluster being made) above the block. A
// line without an end stands in the block until it has one.
func (v *liveView) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return v.w.Write(p)
	}
	v.unended = append(v.unended, p...)
	for {
		line, rest, ended := bytes.Cut(v.unended, []byte("\n"))
		if !ended {
			break
		}
		v.above.WriteString(shown(line) + "\n")
		v.unended = rest
	}
	v.refresh()
	return len(p), nil
}

// shown is what a terminal shows of a line in the end: a carriage return lets
// the rest begin anew.
func shown(line []byte) string {
	line = bytes.TrimRight(line, "\r")
	return harmless(string(line[bytes.LastIndexByte(line, '\r')+1:]))
}

// refresh draws unless the last frame is too fresh; then the next tick does.
func (v *liveView) refresh() {
	if v.now().Sub(v.drawn) >= frameTime {
		v.draw()
	}
}

// draw brings the screen up to date. What the terminal says of a failed write
// is of no use: the run goes on without it.
func (v *liveView) draw() {
	v.drawn = v.now()
	v.measure()
	if v.drawn.Sub(v.resized) < settleTime && !v.progress.ended {
		return
	}
	block := v.lines()
	if v.above.Len() == 0 && slices.Equal(block, v.block) {
		return
	}
	_, _ = io.WriteString(v.w, v.frame(block))
	v.above.Reset()
	v.block = block
}

// measure asks for the size of the terminal.
func (v *liveView) measure() {
	width, height := v.size()
	if v.width > 0 && (width != v.width || height != v.height) {
		v.resized = v.drawn
	}
	v.width, v.height = width, height
}

// frame returns what turns the screen into the new one. Lines are drawn over
// the old ones, which does not flicker, unless more is printed. They are erased
// one by one: tmux keeps in its scrollback what is erased at once from the top.
// The carriage return at the end is not for the terminal: a masker between may
// hold the last bytes back if a secret could begin with them.
func (v *liveView) frame(block []string) string {
	var b strings.Builder
	b.WriteString("\r")
	if up := v.rows(); v.above.Len() > 0 || up != len(v.block) {
		b.WriteString(strings.Repeat("\x1b[A\x1b[K", up))
	} else if up > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", up)
	}
	b.Write(v.above.Bytes())
	for _, line := range block {
		b.WriteString(line + "\x1b[K\n")
	}
	b.WriteString("\x1b[J\r")
	return b.String()
}

// rows returns the lines of the screen that the block takes. A terminal that
// became narrower may have broken the longer ones.
func (v *liveView) rows() int {
	if !v.reflows {
		return len(v.block)
	}
	n := 0
	for _, line := range v.block {
		n += max(1, (cells(line)+v.width-1)/v.width)
	}
	return n
}

// lines returns the block: at most half of the screen, so that what came before
// stays in sight.
func (v *liveView) lines() []string {
	room := min(max(v.height/2, 3), v.height-1)
	var lines []string
	if len(v.unended) > 0 && room > 1 {
		lines = append(lines, strings.ReplaceAll(shown(v.unended), "\t", "  "))
	}
	lines = append(lines, v.progress.lines(v.plain, v.now(), v.width, room-len(lines))...)
	for i, line := range lines {
		lines[i] = cut(line, v.width-1) // the last column makes some terminals wrap
	}
	return lines
}
