package command

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// tailSize bounds what is kept of the end of the output, in bytes.
const tailSize = 16 << 10

// tail keeps the end of a command's output. Safe for concurrent use.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - tailSize; over > tailSize { // amortised
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

// String returns the last lines, as plain text.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(plain(string(t.buf))), "\n")
	if over := len(lines) - causeLines; over > 0 {
		lines = append([]string{"..."}, lines[over+1:]...)
	}
	for i, line := range lines {
		lines[i] = clip(line)
	}
	return strings.Join(lines, "\n")
}

// escape matches what terminals interpret (ECMA-48: CSI and OSC sequences).
var escape = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)|[@-Z\\\\-_])")

// plain removes colours, and of a line that was overwritten (a progress bar)
// all but the last state.
func plain(s string) string {
	s = strings.ReplaceAll(escape.ReplaceAllString(s, ""), "\r\n", "\n")
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		line = strings.TrimRight(line, "\r")
		lines[i] = line[strings.LastIndexByte(line, '\r')+1:]
	}
	return strings.ToValidUTF8(strings.Join(lines, "\n"), "\uFFFD")
}

func clip(line string) string {
	const width = 400 // bytes
	if len(line) <= width {
		return line
	}
	return strings.ToValidUTF8(line[:width], "") + " ..."
}

// firstLines returns as many lines as a cause may have.
func firstLines(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if over := len(lines) - causeLines; over > 0 {
		lines = append(lines[:causeLines-1:causeLines-1], fmt.Sprintf("... and %d more lines", over+1))
	}
	for i, line := range lines {
		lines[i] = clip(line)
	}
	return strings.Join(lines, "\n")
}

// firstOf returns the first n lines of a test's output, indented.
func firstOf(output string, n int) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	return "    " + strings.Join(lines[:min(n, len(lines))], "\n    ")
}
