package module

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"sync"

	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// keepOutput is how much of the end of a program's output is kept in memory.
const keepOutput = 256 << 10

// output passes on what a program writes and keeps the end of it.
type output struct {
	mu  sync.Mutex
	w   io.Writer
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf.Write(p)
	if over := o.buf.Len() - keepOutput; over > 0 {
		o.buf.Next(over)
	}
	return o.w.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// panicLine is how Go, and others in its manner, begin to tell why they die.
var panicLine = regexp.MustCompile(`^(panic: |fatal error: |runtime: |SIGSEGV|thread '.*' panicked at |Traceback )`)

func panicked(text string) bool { return panicAt(strings.Split(text, "\n")) >= 0 }

func panicAt(lines []string) int {
	for i, line := range lines {
		if panicLine.MatchString(line) {
			return i
		}
	}
	return -1
}

const (
	beforePanic = 3  // lines: flag and others print the reason first
	lastLines   = 16 // of an output without a panic
)

// cause puts what a person must see first together: what happened, and the
// lines of the output that tell why: those around a panic, else the last ones.
func cause(what, text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if at := panicAt(lines); at >= 0 {
		lines = lines[max(0, at-beforePanic):]
	} else {
		lines = lines[max(0, len(lines)-lastLines):]
	}
	if strings.TrimSpace(strings.Join(lines, "")) == "" {
		lines = []string{"(no output)"}
	}
	return excerpt(append([]string{what}, lines...))
}

func excerpt(lines []string) string {
	return gotool.Excerpt(strings.Join(lines, "\n"), gotool.CauseLines)
}
