package proc

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"sync"
)

// Mask is what a secret is replaced with.
const Mask = "[MASKED]"

// shortest is the length below which a value is not treated as a secret:
// masking "1" or "true" would make every log unreadable.
const shortest = 6

// Masker replaces secrets in text and streams. It is immutable and may be used
// concurrently; the zero value and nil mask nothing.
type Masker struct{ secrets []string }

// NewMasker returns a Masker for the given values. Values shorter than six
// bytes are ignored; of a value with several lines each line is a secret too.
func NewMasker(values ...string) *Masker {
	var all []string
	for _, v := range values {
		for _, s := range append(strings.Split(v, "\n"), v) {
			if s = strings.TrimSpace(s); len(s) >= shortest {
				all = append(all, s)
			}
		}
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return &Masker{secrets: slices.Compact(all)}
}

// String returns s with every secret replaced.
func (m *Masker) String(s string) string {
	if m == nil {
		return s
	}
	for _, secret := range m.secrets {
		s = strings.ReplaceAll(s, secret, Mask)
	}
	return s
}

// Writer returns a writer that masks what passes through it, also when a
// secret arrives in several writes. Bytes that could be the beginning of a
// secret are held back until it is decided; Close writes them and does not
// close w. The writer may be used concurrently.
func (m *Masker) Writer(w io.Writer) io.WriteCloser {
	if m == nil {
		m = &Masker{}
	}
	return &maskWriter{m: m, w: w}
}

type maskWriter struct {
	mu   sync.Mutex
	m    *Masker
	w    io.Writer
	held []byte
}

func (w *maskWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := w.m.String(string(append(w.held, p...)))
	keep := w.m.undecided(text)
	w.held = []byte(text[len(text)-keep:])
	if _, err := io.WriteString(w.w, text[:len(text)-keep]); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w *maskWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := io.Copy(w.w, bytes.NewReader(w.held))
	w.held = nil
	return err
}

// undecided returns the length of the longest end of text that a secret begins
// with.
func (m *Masker) undecided(text string) int {
	longest := 0
	for _, s := range m.secrets {
		for n := min(len(s)-1, len(text)); n > longest; n-- {
			if strings.HasPrefix(s, text[len(text)-n:]) {
				longest = n
			}
		}
	}
	return longest
}
