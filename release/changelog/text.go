package changelog

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// longest is how many characters of one text are told.
const longest = 1000

// plain makes one line of visible characters of a text: what separates becomes
// one space; control characters, and those that change the direction of what
// follows, are dropped.
func plain(s string) string {
	if isPlain(s) {
		return s
	}
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return -1
		}
		return r
	}, s)
	if utf8.RuneCountInString(s) > longest {
		s = string([]rune(s)[:longest-1]) + "…"
	}
	return strings.Join(strings.Fields(s), " ")
}

// isPlain knows the usual text, of which nothing has to be copied.
func isPlain(s string) bool {
	for i := range len(s) {
		isSpace := s[i] == ' '
		if s[i] < ' ' || s[i] >= 0x7f || isSpace && (i == 0 || i == len(s)-1 || s[i-1] == ' ') {
			return false
		}
	}
	return len(s) <= longest
}

// fold makes texts comparable that differ in case and in the end of a sentence.
func fold(s string) string {
	return strings.TrimRight(strings.ToLower(plain(s)), ". ")
}

// inline writes a text so that Markdown shows the text itself. Code between
// backticks stays code, addresses become links, references link to the forge.
// What a forge would read as a mention is shown as code, which it does not look
// into; a backslash would not do, since mentions are looked for after Markdown.
func (f Forge) inline(s string) string {
	w := &writer{forge: f, rest: plain(s)}
	w.out.Grow(2 * len(w.rest))
	for w.rest != "" {
		if !w.code() && !w.address() && !w.word() && !w.reference() {
			w.character()
		}
	}
	return w.out.String()
}

// block is inline at the beginning of a list item, where more has a meaning.
func (f Forge) block(s string) string {
	text := f.inline(s)
	if text == "" {
		return "(no text)"
	}
	digits := 0
	for digits < len(text) && isDigit(text[digits]) {
		digits++
	}
	at := strings.IndexByte("#-+=:/|", text[0])
	switch {
	case at >= 0:
		return `\` + text
	case digits > 0 && digits < len(text) && (text[digits] == '.' || text[digits] == ')'):
		return text[:digits] + `\` + text[digits:]
	}
	return text
}

// writer goes once through a text; each method takes something from the
// beginning of rest, or returns false.
type writer struct {
	forge Forge
	out   strings.Builder
	rest  string
	// inWord says that the last character written belongs to a word.
	inWord bool
}

func (w *writer) take(n int, written string) bool {
	last, _ := utf8.DecodeLastRuneInString(w.rest[:n])
	w.inWord = unicode.IsLetter(last) || unicode.IsDigit(last) || last == '_'
	if strings.HasPrefix(written, "`") && strings.HasSuffix(w.out.String(), "`") {
		w.out.WriteByte(' ') // two runs of backticks would be one
	}
	w.out.WriteString(written)
	w.rest = w.rest[n:]
	return true
}

// code takes a span between two equally long runs of backticks.
func (w *writer) code() bool {
	run := len(w.rest) - len(strings.TrimLeft(w.rest, "`"))
	if run == 0 {
		return false
	}
	content := w.rest[run:]
	for at := 0; at < len(content); {
		if content[at] != '`' {
			at++
			continue
		}
		end := at
		for end < len(content) && content[end] == '`' {
			end++
		}
		if end-at == run && strings.TrimSpace(content[:at]) != "" {
			return w.take(run+end, codeSpan(strings.TrimSpace(content[:at])))
		}
		at = end
	}
	return w.take(run, strings.Repeat("\\`", run))
}

// codeSpan shows content, which is one line and not blank, as code.
func codeSpan(content string) string {
	fence := "`"
	for strings.Contains(content, fence) {
		fence += "`"
	}
	if content[0] == '`' || content[len(content)-1] == '`' {
		content = " " + content + " "
	}
	return fence + content + fence
}

// address takes a web address.
func (w *writer) address() bool {
	if w.inWord || !strings.HasPrefix(w.rest, "https://") && !strings.HasPrefix(w.rest, "http://") {
		return false
	}
	end := strings.IndexFunc(w.rest, notInAddress)
	if end < 0 {
		end = len(w.rest)
	}
	address := strings.TrimRight(w.rest[:end], ".,;:!?)'*_~")
	if _, host, _ := strings.Cut(address, "://"); host == "" {
		return false
	}
	return w.take(len(address), "<"+address+">")
}

// notInAddress follows RFC 3986, section 2.
func notInAddress(r rune) bool {
	return r >= 0x80 || !isWord(byte(r)) && strings.IndexByte("-.~:/?#@!$&'()*+,;=%", byte(r)) < 0
}

// word takes what names are made of. With an "@" in it, it could be a mention.
func (w *writer) word() bool {
	end := 0
	for end < len(w.rest) && (isWord(w.rest[end]) || strings.IndexByte(".+-/@", w.rest[end]) >= 0) {
		end++
	}
	if end == 0 {
		return false
	}
	if name := strings.TrimRight(w.rest[:end], ".+-/"); strings.Contains(name, "@") {
		return w.take(len(name), codeSpan(name))
	}
	if end < len(w.rest) && (w.rest[end] == '#' || w.rest[end] == '!') && !w.inWord {
		if r, ok := w.referenceAt(end); ok && !w.forge.none() {
			return w.link(r)
		}
	}
	return w.take(end, escapeEdges(w.rest[:end]))
}

// escapeEdges escapes underscores that could begin or end an emphasis: those
// beside something that is no letter or digit.
func escapeEdges(s string) string {
	if !strings.Contains(s, "_") {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		inside := i > 0 && i < len(s)-1 && isAlnum(s[i-1]) && isAlnum(s[i+1])
		if s[i] == '_' && !inside {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// reference takes "#12" and "!12".
func (w *writer) reference() bool {
	if w.inWord || w.forge.none() || w.rest[0] != '#' && w.rest[0] != '!' {
		return false
	}
	r, ok := w.referenceAt(0)
	return ok && w.link(r)
}

// referenceAt reads a reference with its sign at a place of rest.
func (w *writer) referenceAt(at int) (reference, bool) {
	end := at + 1
	for end < len(w.rest) && isDigit(w.rest[end]) {
		end++
	}
	next, _ := utf8.DecodeRuneInString(w.rest[end:])
	if end < len(w.rest) && (unicode.IsLetter(next) || unicode.IsDigit(next) || next == '_') {
		return reference{}, false
	}
	return parseReference(w.rest[:end])
}

func (w *writer) link(r reference) bool {
	return w.take(len(r.String()), "["+escapeEdges(r.String())+"]("+w.forge.reference(r)+")")
}

// character takes one, escaped where Markdown gives it a meaning.
func (w *writer) character() bool {
	r, size := utf8.DecodeRuneInString(w.rest)
	switch r {
	case '<':
		return w.take(size, "&lt;")
	case '>':
		return w.take(size, "&gt;")
	case '&':
		return w.take(size, "&amp;")
	case '\\', '`', '*', '_', '[', ']', '{', '}', '~', '$', '|':
		return w.take(size, `\`+string(r))
	case '#', '!': // before a number a reference, before a link an image
		if len(w.rest) > size && w.rest[size] != ' ' {
			return w.take(size, `\`+string(r))
		}
	}
	return w.take(size, string(r))
}

// Text returns text of people as Markdown that shows it as it is: it cannot
// become HTML, a mention, a quick action or another block.
func Text(s string) string { return Forge{}.inline(s) }
