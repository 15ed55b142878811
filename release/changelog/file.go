package changelog

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// FormatError says that a file is no changelog as Keep a Changelog has it, and
// where that shows. The caller knows the file's name.
type FormatError struct {
	Line     int // counted from 1
	Found    string
	Expected string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("line %d: %s; expected %s (the form is that of keepachangelog.com/en/1.1.0)", e.Line, e.Found, e.Expected)
}

const (
	expectedHeading = `"## [Unreleased]" or "## [1.2.3] - 2006-01-02"`
	expectedEnd     = "its end before the end of the file"
)

// file is a changelog with the places that matter. Places are indices of lines;
// -1 is nowhere.
type file struct {
	lines      []string // with their ends
	eol        string
	headings   []heading
	unreleased int // of headings
	first      int // of headings: the newest version
	// links is where the last lines begin that only define links; len(lines)
	// without any.
	links int
}

// heading is one of level 1 to 6, outside of code and comments.
type heading struct {
	line, level int
	text        string
}

// parse reads a file that is not empty.
func parse(data []byte) (*file, error) {
	if at := bytes.IndexByte(data, 0); at >= 0 {
		return nil, &FormatError{Line: 1 + bytes.Count(data[:at], []byte("\n")), Found: "a zero byte", Expected: "text in UTF-8"}
	}
	f := &file{eol: "\n", unreleased: -1, first: -1}
	for line := range strings.Lines(string(data)) {
		f.lines = append(f.lines, line)
	}
	if strings.HasSuffix(f.lines[0], "\r\n") {
		f.eol = "\r\n"
	}
	hidden, err := f.scan()
	if err != nil {
		return nil, err
	}
	if err := f.findSections(); err != nil {
		return nil, err
	}
	f.findLinks(hidden)
	return f, nil
}

// text is a line without its end and without a byte order mark.
func (f *file) text(i int) string {
	s := strings.TrimRight(f.lines[i], "\r\n")
	if i == 0 {
		s = strings.TrimPrefix(s, "\uFEFF")
	}
	return s
}

// scan finds the headings, and the lines that are within code or a comment.
func (f *file) scan() (hidden []bool, err error) {
	hidden = make([]bool, len(f.lines))
	var open fence
	for i := range f.lines {
		text := f.text(i)
		if open.isOpen() {
			hidden[i] = true
			open.close(text)
			continue
		}
		if open = openFence(i, text); open.isOpen() {
			hidden[i] = true
			open.closeComment(text)
			continue
		}
		if h, ok := f.headingAt(i, text, hidden); ok {
			f.headings = append(f.headings, h)
		}
	}
	if open.isOpen() {
		return nil, &FormatError{Line: open.line + 1, Found: open.what(), Expected: expectedEnd}
	}
	return hidden, nil
}

// headingAt reads a heading: with number signs, or underlined by the next line.
func (f *file) headingAt(i int, text string, hidden []bool) (heading, bool) {
	rest, isIndented := strings.CutPrefix(text, "    ")
	if isIndented || strings.HasPrefix(text, "\t") {
		return heading{}, false
	}
	rest = strings.TrimLeft(rest, " ")
	title := strings.TrimLeft(rest, "#")
	level := len(rest) - len(title)
	if level > 0 {
		if level > 6 || title != "" && title[0] != ' ' && title[0] != '\t' {
			return heading{}, false
		}
		return heading{line: i, level: level, text: strings.TrimSpace(strings.TrimRight(strings.TrimSpace(title), "#"))}, true
	}
	level = underline(rest)
	if level == 0 || i == 0 || hidden[i-1] || strings.TrimSpace(f.text(i-1)) == "" || f.isHeading(i-1) {
		return heading{}, false
	}
	return heading{line: i - 1, level: level, text: strings.TrimSpace(f.text(i - 1))}, true
}

func (f *file) isHeading(line int) bool {
	return len(f.headings) > 0 && f.headings[len(f.headings)-1].line == line
}

// underline returns the level of the heading that a line underlines, 0 for none.
func underline(text string) int {
	text = strings.TrimRight(text, " \t")
	switch {
	case text == "":
		return 0
	case strings.Trim(text, "=") == "":
		return 1
	case strings.Trim(text, "-") == "":
		return 2
	}
	return 0
}

// findSections finds the unreleased part and the newest version. Everything up
// to that version must be understood; what is older is not looked at, except
// for a second unreleased part.
func (f *file) findSections() error {
	for i, h := range f.headings {
		switch {
		case isUnreleased(h.text) && f.unreleased < 0 && f.first < 0 && h.level == 2 && f.marked(h):
			f.unreleased = i
		case isUnreleased(h.text) && h.level <= 2:
			return f.unexpected(h, "one heading \"## [Unreleased]\", above all versions")
		case f.first >= 0:
		case h.level == 2 && versionOf(h.text) != "" && f.marked(h):
			f.first = i
		case h.level == 2, looksLikeVersion(h.text), h.level == 1 && f.unreleased >= 0:
			return f.unexpected(h, expectedHeading)
		}
	}
	if f.first >= 0 || f.unreleased >= 0 {
		return nil
	}
	return f.checkTitle()
}

// marked reports whether a heading has number signs, not an underline.
func (f *file) marked(h heading) bool {
	return strings.HasPrefix(strings.TrimLeft(f.text(h.line), " "), "#")
}

// checkTitle accepts a file without any version: a title that says what it is.
func (f *file) checkTitle() error {
	if len(f.headings) > 0 && f.headings[0].level == 1 {
		for _, word := range []string{"change", "history", "release"} {
			if strings.Contains(strings.ToLower(f.headings[0].text), word) {
				return nil
			}
		}
	}
	for i := range f.lines {
		if text := strings.TrimSpace(f.text(i)); text != "" {
			return &FormatError{Line: i + 1, Found: quote(text) + " in a file without any version", Expected: expectedHeading + ", or the title \"# Changelog\""}
		}
	}
	return nil
}

func (f *file) unexpected(h heading, expected string) error {
	return &FormatError{Line: h.line + 1, Found: "the heading " + quote(strings.TrimSpace(f.text(h.line))), Expected: expected}
}

// quote shortens what an error shows of a line.
func quote(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

func isUnreleased(text string) bool {
	return strings.EqualFold(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"), "unreleased")
}

// versionOf returns the version of a heading: "[1.2.3] - 2006-01-02", also
// without brackets or date, with "v", with a link, and with "[YANKED]" after it.
// "" is another form.
func versionOf(text string) string {
	text = strings.TrimSpace(strings.TrimSuffix(text, "[YANKED]"))
	name, rest, _ := strings.Cut(text, " ")
	if strings.HasPrefix(name, "[") {
		label, target, ok := strings.Cut(name[1:], "]")
		if !ok || target != "" && (target[0] != '(' || !strings.HasSuffix(target, ")")) {
			return ""
		}
		name = label
	}
	name = strings.TrimPrefix(name, "v")
	if _, err := semver.StrictNewVersion(name); err != nil || !isDate(strings.TrimSpace(rest)) {
		return ""
	}
	return name
}

// isDate accepts nothing, and a dash with a date in the form of ISO 8601.
func isDate(s string) bool {
	if s == "" {
		return true
	}
	for _, dash := range []string{"- ", "– ", "— "} {
		if date, ok := strings.CutPrefix(s, dash); ok {
			return len(date) == len("2006-01-02") && date[4] == '-' && date[7] == '-' && isNumber(date[:4]+date[5:7]+date[8:])
		}
	}
	return false
}

// looksLikeVersion is true for a heading that begins with a version, whatever
// follows: the form of other tools.
func looksLikeVersion(text string) bool {
	word, _, _ := strings.Cut(strings.Trim(text, "[v"), " ")
	word, _, _ = strings.Cut(word, "]")
	_, err := semver.StrictNewVersion(word)
	return err == nil
}
