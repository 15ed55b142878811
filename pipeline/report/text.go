package report

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"
)

// clean returns text without terminal sequences and with every character that
// XML 1.0 (section 2.2) forbids, or that a page would act on, replaced by a
// visible one. The result is valid UTF-8.
func clean(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	if strings.ContainsRune(text, '\x1b') {
		text = regexp.MustCompile(`\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\))`).ReplaceAllString(text, "")
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < 0x20:
			return 0x2400 + r // the picture of the control character
		case r == 0x7f:
			return 0x2421
		case r >= 0x80 && r < 0xa0, r == 0x2028, r == 0x2029, r == 0xfffe, r == 0xffff, r == 0xfeff,
			r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069: // these reverse the direction of text
			return 0xfffd
		}
		return r
	}, text)
}

// oneLine returns clean text with its white space folded.
func oneLine(text string) string { return strings.Join(strings.Fields(clean(text)), " ") }

// shorten keeps at most limit bytes of text: a quarter from the beginning, the
// rest from the end, where Go tests say what was wrong.
func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	head, tail := limit/4, len(text)-(limit-limit/4)
	for head > 0 && !utf8.RuneStart(text[head]) {
		head--
	}
	for tail < len(text) && !utf8.RuneStart(text[tail]) {
		tail++
	}
	return fmt.Sprintf("%s\n[... %d bytes left out ...]\n%s", text[:head], tail-head, text[tail:])
}

// repoPath returns the path of a file of a stage's service relative to the
// root of the repository, without "./"; false when it lies outside.
func (run Run) repoPath(s Stage, name string) (string, bool) {
	name = filepath.ToSlash(name)
	if path.IsAbs(name) {
		rel, err := filepath.Rel(run.Project, filepath.FromSlash(name))
		if run.Project == "" || err != nil {
			return "", false
		}
		name = filepath.ToSlash(rel)
	} else {
		root := run.Root
		if s.Root != "" {
			root = s.Root
		}
		name = path.Join(root, name)
	}
	name = clean(path.Clean(name))
	return name, name != ".." && !strings.HasPrefix(name, "../") && !path.IsAbs(name)
}
