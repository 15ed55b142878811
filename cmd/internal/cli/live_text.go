package cli

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// cells returns the columns that a line takes on a terminal: two for wide
// characters, none for marks and for colours.
func cells(line string) int {
	n := 0
	for line != "" {
		_, rest, columns := glyph(line)
		n, line = n+columns, rest
	}
	return n
}

// cut shortens a line to so many columns. Colours pass, and end with it.
func cut(line string, columns int) string {
	if cells(line) <= columns {
		return line
	}
	var b strings.Builder
	for left := columns - 1; ; {
		text, rest, n := glyph(line)
		if n > left {
			break
		}
		b.WriteString(text)
		left, line = left-n, rest
	}
	if columns > 0 {
		b.WriteString("…")
	}
	if strings.Contains(b.String(), "\x1b[") {
		b.WriteString("\x1b[m")
	}
	return b.String()
}

// glyph cuts a character or an escape sequence off a line that is not empty.
func glyph(line string) (text, rest string, columns int) {
	if strings.HasPrefix(line, "\x1b[") {
		if end := strings.IndexFunc(line[2:], func(r rune) bool { return r >= '@' && r <= '~' }); end >= 0 {
			return line[:2+end+1], line[2+end+1:], 0
		}
	}
	var first rune
	size := len(line)
	for i, r := range line {
		if i > 0 {
			size = i
			break
		}
		first = r
	}
	return line[:size], line[size:], columnsOf(first)
}

func columnsOf(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// inOneLine makes foreign text fit for a line of the block.
func inOneLine(text string) string { return strings.Join(strings.Fields(printable(text)), " ") }
