package gotool

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// CauseLines is the length of a cause that a person reads first.
const CauseLines = 24

// width bounds a line of an excerpt, in bytes.
const width = 400

// Excerpt returns the first lines of text, at most n of them, and says in the
// last one how many were left out. Blank lines at the ends are dropped.
func Excerpt(text string, n int) string {
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	if over := len(lines) - n; over > 0 {
		lines = append(lines[:n-1:n-1], fmt.Sprintf("... and %d more lines", over+1))
	}
	for i, line := range lines {
		lines[i] = Clip(line)
	}
	return strings.Join(lines, "\n")
}

// Clip shortens a line that nobody can read, and repairs broken UTF-8.
func Clip(line string) string {
	line = strings.TrimRight(line, "\r\n")
	if len(line) > width {
		cut := width
		for cut > 0 && !utf8.RuneStart(line[cut]) {
			cut--
		}
		line = line[:cut] + " ..."
	}
	return strings.ToValidUTF8(line, "\uFFFD")
}
