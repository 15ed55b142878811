package changelog

import "strings"

// definition reads a line "[label]: address".
func definition(text string) (label, address string, ok bool) {
	text = strings.TrimSpace(text)
	label, rest, ok := strings.Cut(text, "]:")
	if !ok || len(label) < 2 || label[0] != '[' || label[1] == '^' || strings.ContainsAny(label[1:], "[]") {
		return "", "", false
	}
	words := strings.Fields(rest)
	if len(words) == 0 {
		return "", "", false
	}
	return label[1:], words[0], true
}

// findLinks finds the definitions at the end of the file, below all headings.
func (f *file) findLinks(hidden []bool) {
	top := 0
	if len(f.headings) > 0 {
		top = f.headings[len(f.headings)-1].line + 1
	}
	f.links = len(f.lines)
	for i := len(f.lines) - 1; i >= top && !hidden[i]; i-- {
		text := f.text(i)
		if _, _, ok := definition(text); ok {
			f.links = i
		} else if strings.TrimSpace(text) != "" {
			break
		}
	}
}

// linked returns the lines that define links, with those of a release: the one
// of the unreleased part moved on, the one of the version below it. Without a
// forge the address that is there already says how to compare.
func (f *file) linked(r Release, label string) []string {
	lines := append([]string(nil), f.lines[f.links:]...)
	at, old := 0, ""
	for i, line := range lines {
		name, address, ok := definition(line)
		if ok && strings.EqualFold(name, label) {
			label = "" // it is there
		}
		if ok && strings.EqualFold(name, "unreleased") {
			at, old = i+1, address
		}
	}
	unreleased, version := addresses(r, old)
	if unreleased == "" {
		return lines
	}
	var fresh []string
	switch {
	case at > 0:
		lines[at-1] = strings.Replace(lines[at-1], old, unreleased, 1)
		lines[at-1] = strings.TrimRight(lines[at-1], "\r\n") + f.eol
	case f.unreleased >= 0 && bracketed(f.headings[f.unreleased].text):
		fresh = append(fresh, "[Unreleased]: "+unreleased+f.eol)
	}
	if label != "" && version != "" {
		fresh = append(fresh, "["+label+"]: "+version+f.eol)
	}
	if len(fresh) > 0 && at == 0 && len(lines) == 0 {
		fresh = append([]string{f.eol}, fresh...)
	}
	return append(lines[:at:at], append(fresh, lines[at:]...)...)
}

// addresses are those of what comes after a release, and of the release.
func addresses(r Release, old string) (unreleased, version string) {
	const compare, end = "/compare/", "...HEAD"
	switch {
	case !r.Forge.none() && r.Previous == "":
		return r.Forge.compare(r.Tag, "HEAD"), r.Forge.tag(r.Tag)
	case !r.Forge.none():
		return r.Forge.compare(r.Tag, "HEAD"), r.Forge.compare(r.Previous, r.Tag)
	}
	at := strings.LastIndex(old, compare)
	if at < 0 || !strings.HasSuffix(old, end) {
		return "", ""
	}
	base, from := old[:at+len(compare)], old[at+len(compare):len(old)-len(end)]
	return base + pathEscape(r.Tag) + end, base + from + "..." + pathEscape(r.Tag)
}

func bracketed(text string) bool { return strings.HasPrefix(text, "[") }
