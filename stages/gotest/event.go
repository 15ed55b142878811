package gotest

import (
	"bytes"
	"io"
)

// event is one line of `go test -json`: see `go doc test2json` and
// `go help buildjson`.
type event struct {
	Action      string
	Package     string
	Test        string
	Elapsed     float64 // seconds
	Output      string
	ImportPath  string // of build events
	FailedBuild string // of the "fail" event of a package that was not built
}

const (
	// maxLine bounds a line of the stream; a longer one is cut.
	maxLine = 1 << 20
	// maxOutput bounds what is kept of the output of one test, of one package
	// and of one build, in bytes.
	maxOutput = 32 << 10
)

// splitter calls line for each line written to it, without its end.
type splitter struct {
	line func([]byte)
	held []byte
}

func (s *splitter) Write(p []byte) (int, error) {
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			break
		}
		s.hold(p[:i])
		s.flush()
		p = p[i+1:]
	}
	s.hold(p)
	return n, nil
}

func (s *splitter) hold(p []byte) {
	s.held = append(s.held, p[:min(len(p), maxLine-len(s.held))]...)
}

// flush ends the line that has begun.
func (s *splitter) flush() {
	if len(s.held) > 0 {
		s.line(s.held)
		s.held = s.held[:0]
	}
}

// text keeps the beginning and the end of what is added to it.
type text struct {
	head, tail []byte
	cut        bool
}

func (t *text) add(s string) {
	n := min(len(s), maxOutput/2-len(t.head))
	t.head = append(t.head, s[:n]...)
	t.tail = append(t.tail, s[n:]...)
	if over := len(t.tail) - maxOutput/2; over > maxOutput/2 { // amortised
		t.tail, t.cut = append(t.tail[:0], t.tail[over:]...), true
	}
}

func (t *text) String() string {
	tail := t.tail
	if over := len(tail) - maxOutput/2; over > 0 {
		tail = tail[over:]
		t.cut = true
	}
	if !t.cut {
		return string(t.head) + string(tail)
	}
	return string(t.head) + "\n[...]\n" + string(tail)
}

// Parse reads `go test -json` until its end and writes readable text to log,
// which may be nil. Files of tests are named as far as the stream tells: by
// their base name. The error is that of r.
func Parse(r io.Reader, log io.Writer) (*Result, error) {
	if log == nil {
		log = io.Discard
	}
	p := newParser(log)
	lines := &splitter{line: p.line}
	_, err := io.Copy(lines, r)
	lines.flush()
	return p.finish(), err
}
