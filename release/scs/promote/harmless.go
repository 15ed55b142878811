package promote

import (
	"cmp"
	"html"
	"strings"
	"unicode"

	"gitlab.com/selfcontained/pipeline/release/changelog"
)

// harmless writes Markdown from outside anew, line by line, with the few things
// that release notes are made of: headings (as strong text), items of lists,
// code and links to the web. All other text is shown as it is.
func harmless(notes string) string {
	var b strings.Builder
	fence, blank := "", true
	for line := range strings.SplitSeq(strings.ReplaceAll(notes, "\r", "\n"), "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case fence != "":
			if strings.Trim(trimmed, fence[:1]) == "" && strings.HasPrefix(trimmed, fence) {
				fence = ""
			} else if code := strings.TrimSpace(visible(line)); code != "" {
				b.WriteString(command(code) + "\n")
				blank = false
			}
			continue
		case fenceOf(trimmed) != "":
			fence = fenceOf(trimmed)
			continue
		case trimmed == "":
			if !blank {
				b.WriteString("\n")
			}
			blank = true
			continue
		case isDefinition(trimmed):
			continue
		}
		if written := harmlessLine(line, trimmed, blank); strings.TrimSpace(written) != "" {
			b.WriteString(written + "\n")
			blank = strings.HasSuffix(written, "\n")
		}
	}
	if text := strings.Trim(b.String(), "\n"); text != "" {
		return text + "\n"
	}
	return ""
}

// harmlessLine writes a line that is neither blank nor code.
func harmlessLine(line, trimmed string, blank bool) string {
	if heading := strings.TrimLeft(trimmed, "#"); heading != trimmed && strings.HasPrefix(heading, " ") {
		text := begin(inline(strings.Trim(heading, "# ")))
		switch {
		case text == "":
			return ""
		case strings.Trim(text, letters+" ") == "":
			text = "**" + text + "**"
		}
		if !blank {
			text = "\n" + text
		}
		return text + "\n"
	}
	for _, mark := range []string{"- ", "* ", "+ "} {
		item, ok := strings.CutPrefix(trimmed, mark)
		if text := begin(inline(item)); ok && text != "" {
			indent := len(line) - len(strings.TrimLeft(line, " "))
			return strings.Repeat("  ", min(indent/2, 3)) + "- " + text
		}
	}
	return begin(inline(trimmed))
}

// fenceOf returns the run of backticks or tildes that begins a block of code.
func fenceOf(line string) string {
	for _, mark := range []string{"`", "~"} {
		run := line[:len(line)-len(strings.TrimLeft(line, mark))]
		if len(run) >= 3 && !strings.Contains(line[len(run):], "`") {
			return run
		}
	}
	return ""
}

// isDefinition recognises "[label]: address", which would change the meaning of
// what stands elsewhere.
func isDefinition(line string) bool {
	_, rest, ok := strings.Cut(line, "]:")
	return strings.HasPrefix(line, "[") && ok && !strings.Contains(rest, " ")
}

// visible is a line without control characters and those that change the
// direction of text.
func visible(line string) string {
	line = strings.ReplaceAll(strings.ToValidUTF8(line, "\uFFFD"), "\t", "    ")
	return strings.TrimRight(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return -1
		}
		return r
	}, line), " ")
}

// inline writes the text of a line: links to the web stay links, all else is
// text as changelog.Text shows it. What was escaped is escaped anew.
func inline(text string) string {
	var b strings.Builder
	for text != "" {
		before, label, address, rest, ok := cutLink(text)
		written := changelog.Text(plainOf(before))
		if !ok {
			b.WriteString(written)
			break
		}
		if strings.HasSuffix(written, "!") { // an image begins so
			written = strings.TrimSuffix(written, "!") + `\!`
		}
		if b.WriteString(written); strings.HasSuffix(before, " ") {
			b.WriteString(" ")
		}
		if b.WriteString(link(label, address)); strings.HasPrefix(rest, " ") {
			b.WriteString(" ")
		}
		text = rest
	}
	return strings.TrimSpace(b.String())
}

// letters are what has no meaning in Markdown.
const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// link is a link with a label in which nothing has a meaning; other labels stand
// before their address.
func link(label, address string) string {
	label = strings.Join(strings.Fields(plainOf(label)), " ")
	if strings.Trim(label, letters+" .#!-/") == "" && !strings.Contains(label, "www.") {
		return "[" + label + "](<" + address + ">)"
	}
	return changelog.Text(label) + " <" + address + ">"
}

// cutLink finds the first "[label](address)" with an address on the web.
func cutLink(text string) (before, label, address, rest string, ok bool) {
	for from := 0; ; {
		at := strings.Index(text[from:], "](http")
		if at < 0 {
			return text, "", "", "", false
		}
		at += from
		open, end := strings.LastIndexByte(text[:at], '['), strings.IndexByte(text[at:], ')')
		if open < 0 || end < 0 {
			return text, "", "", "", false
		}
		address = text[at+2 : at+end]
		if open > 0 && text[open-1] == '!' {
			open-- // an image is a link to it
		}
		label = strings.Trim(text[open:at], "![")
		if isAddress(address) && strings.TrimSpace(label) != "" {
			return text[:open], label, address, text[at+end+1:], true
		}
		from = at + 1
	}
}

// isAddress accepts what can stand between < and > without a meaning of its own
// (RFC 3986, section 2).
func isAddress(s string) bool {
	host, ok := strings.CutPrefix(s, "https://")
	if !ok {
		host, ok = strings.CutPrefix(s, "http://")
	}
	return ok && host != "" && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789-._~:/?#@!$&'*+,;=%") == ""
}

// plainOf takes away what Markdown has for the text itself: escapes, entities
// and strong text.
func plainOf(s string) string {
	s = strings.ReplaceAll(s, "**", "")
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", s[i+1]) >= 0 {
			i++
		}
		b.WriteByte(s[i])
	}
	return html.UnescapeString(b.String())
}

// begin is a text at the beginning of a line, where more has a meaning.
func begin(text string) string {
	if text == "" {
		return ""
	}
	digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
	switch {
	case strings.IndexByte("#-+=:/|>~", text[0]) >= 0:
		return `\` + text
	case digits > 0 && digits < len(text) && (text[digits] == '.' || text[digits] == ')'):
		return text[:digits] + `\` + text[digits:]
	}
	return text
}

// item is a text at the beginning of an item of a list.
func item(s string) string { return cmp.Or(begin(changelog.Text(s)), "(no text)") }
