package changelog

import "strings"

// fence is a block in which nothing is a heading: code between fences
// (CommonMark 0.31, section 4.5) or an HTML comment. The zero value is closed.
type fence struct {
	line int
	mark string // the fence, or "<!--"
}

func (f *fence) isOpen() bool { return f.mark != "" }

func (f *fence) what() string {
	if f.mark == comment {
		return "a comment that does not end"
	}
	return "a code block that does not end"
}

const (
	comment    = "<!--"
	commentEnd = "-->"
)

// openFence returns the block that a line begins. How far it is indented does
// not matter: within a list that may be any number of spaces.
func openFence(line int, text string) fence {
	text = strings.TrimLeft(text, " \t")
	if strings.HasPrefix(text, comment) {
		return fence{line: line, mark: comment}
	}
	for _, c := range "`~" {
		info := strings.TrimLeft(text, string(c))
		if n := len(text) - len(info); n >= 3 && (c == '~' || !strings.Contains(info, "`")) {
			return fence{line: line, mark: text[:n]}
		}
	}
	return fence{}
}

// close ends the block when a line does.
func (f *fence) close(text string) {
	if f.mark == comment {
		f.closeComment(text)
		return
	}
	text = strings.TrimSpace(text)
	if len(text) >= len(f.mark) && strings.Trim(text, f.mark[:1]) == "" {
		f.mark = ""
	}
}

// closeComment ends a comment, which may be on the line that began it.
func (f *fence) closeComment(text string) {
	if f.mark == comment && strings.Contains(text, commentEnd) {
		f.mark = ""
	}
}
