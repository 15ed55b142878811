package cli

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// terminal is a terminal in memory, with what a live view uses of it: \r, \n
// (with the carriage return that the line discipline adds), up, erasing,
// colours, wrapping, a scrollback, and lines that are broken anew when the width
// changes. Anything else is an error.
type terminal struct {
	t             *testing.T
	width, height int
	lines         []screenLine // the scrollback, then the screen
	row, col      int          // row counts from the first line of the scrollback
	colour        string
	writes        int
}

// screenLine is a row of cells; a wide character takes two, the second empty.
type screenLine struct {
	cells   []string
	wrapped bool // the next row goes on with it
}

func newTerminal(t *testing.T, width, height int) *terminal {
	return &terminal{t: t, width: width, height: height, lines: make([]screenLine, 1)}
}

func (s *terminal) size() (width, height int) { return s.width, s.height }

// top is the first row of the screen.
func (s *terminal) top() int { return max(0, len(s.lines)-s.height) }

var sequence = regexp.MustCompile(`^\x1b\[([0-9]*)([AJKm])`)

// Write implements io.Writer.
func (s *terminal) Write(p []byte) (int, error) {
	s.writes++
	for text := string(p); text != ""; {
		r, size := utf8.DecodeRuneInString(text)
		switch m := sequence.FindStringSubmatch(text); {
		case m != nil:
			size = len(m[0])
			s.control(m[1], m[2])
		case r == '\r':
			s.col = 0
		case r == '\n':
			s.newline(false)
		case r < ' ' && r != '\t' || r == 0x7f || r == utf8.RuneError:
			s.t.Errorf("the terminal gets %q", text[:min(len(text), 20)])
		default:
			s.put(text[:size], columnsOf(r))
		}
		text = text[size:]
	}
	return len(p), nil
}

func (s *terminal) control(arg, what string) {
	switch what {
	case "A":
		n, _ := strconv.Atoi(arg)
		s.row = max(s.top(), s.row-max(n, 1))
	case "K":
		s.line().cells = s.line().cells[:min(s.col, len(s.line().cells))]
		s.line().wrapped = false
	case "J":
		if s.row == s.top() && s.col == 0 && len(s.line().cells) > 0 {
			s.t.Error("the screen is erased from its top: tmux keeps that in its scrollback")
		}
		s.control("", "K")
		for i := s.row + 1; i < len(s.lines); i++ {
			s.lines[i] = screenLine{}
		}
	case "m":
		s.colour = arg
	}
}

func (s *terminal) line() *screenLine { return &s.lines[s.row] }

func (s *terminal) newline(wrapped bool) {
	s.line().wrapped = wrapped
	s.row, s.col = s.row+1, 0
	if s.row == len(s.lines) {
		s.lines = append(s.lines, screenLine{})
	}
}

func (s *terminal) put(glyph string, columns int) {
	if s.col+columns > s.width {
		s.newline(true)
	}
	if s.colour != "" {
		glyph = fmt.Sprintf("<%s:%s>", s.colour, glyph)
	}
	for len(s.line().cells) < s.col+columns {
		s.line().cells = append(s.line().cells, " ")
	}
	for i := range columns {
		s.line().cells[s.col+i] = ""
	}
	s.line().cells[s.col] = glyph
	s.col += columns
}

// resize changes the size as most terminals do: long lines are broken anew, the
// cursor keeps its place in the text.
func (s *terminal) resize(width, height int) {
	old, row, col := s.lines, s.row, s.col
	s.lines, s.width, s.height, s.row, s.col = make([]screenLine, 1), width, height, 0, 0
	var cursor [2]int
	for i, line := range old {
		for j, cell := range line.cells {
			if i == row && j == col {
				cursor = [2]int{s.row, s.col}
			}
			if cell != "" {
				s.put(cell, 1)
			}
		}
		if i == row && col >= len(line.cells) {
			cursor = [2]int{s.row, s.col}
		}
		if !line.wrapped && i < len(old)-1 {
			s.newline(false)
		}
	}
	s.row, s.col = cursor[0], cursor[1]
	for len(s.lines)-1 > s.row && len(s.lines[len(s.lines)-1].cells) == 0 {
		s.lines = s.lines[:len(s.lines)-1] // empty lines under the cursor are dropped first
	}
}

// painted is the text from the first line of the scrollback to the last one
// that is not empty; colours stand as <31:failed>.
func (s *terminal) painted() string {
	var b strings.Builder
	for _, line := range s.lines {
		b.WriteString(strings.Join(line.cells, ""))
		if !line.wrapped {
			b.WriteString("\n")
		}
	}
	text := regexp.MustCompile(`<[0-9]+:[^<>]>(<[0-9]+:[^<>]>)+`).ReplaceAllStringFunc(b.String(), mergeColours)
	return strings.TrimRight(text, "\n") + "\n"
}

// mergeColours makes one of what was painted character by character.
func mergeColours(text string) string {
	var b strings.Builder
	last := ""
	for _, cell := range regexp.MustCompile(`<([0-9]+):([^<>])>`).FindAllStringSubmatch(text, -1) {
		if cell[1] != last {
			if last != "" {
				b.WriteString(">")
			}
			b.WriteString("<" + cell[1] + ":")
			last = cell[1]
		}
		b.WriteString(cell[2])
	}
	return b.String() + ">"
}

// text is painted without the colours.
func (s *terminal) text() string {
	return regexp.MustCompile(`<[0-9]+:([^<>]+)>`).ReplaceAllString(s.painted(), "$1")
}

func TestTerminalBreaksLinesAnew(t *testing.T) {
	t.Parallel()
	s := newTerminal(t, 10, 5)
	fmt.Fprint(s, "0123456789abc\nend\n")
	s.resize(5, 5)
	if len(s.lines) != 5 || s.row != 4 || s.col != 0 {
		t.Errorf("%d rows, cursor at %d, %d", len(s.lines), s.row, s.col)
	}
	fmt.Fprint(s, "\x1b[1A\x1b[J")
	if got, want := s.text(), "0123456789abc\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
