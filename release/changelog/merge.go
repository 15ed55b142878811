package changelog

import (
	"slices"
	"strings"
)

// part is what people wrote below one heading; the first has none.
type part struct {
	title string // one of titles, where it is one
	lines []string
}

// merge joins what people wrote with what the commits say: below one heading,
// theirs first. An entry that they wrote down in the same words is not repeated.
// Headings that are none of titles come last; empty ones are dropped. The lines
// neither begin nor end with an empty one.
func merge(written []string, sections []section, f Forge) []string {
	parts := split(written)
	said := map[string]bool{}
	for _, line := range written {
		said[fold(strings.TrimLeft(line, " -*+"))] = true
	}
	var out []string
	add := func(lines []string) {
		if len(out) > 0 && len(lines) > 0 {
			out = append(out, "")
		}
		out = append(out, lines...)
	}
	add(trimBlank(parts[0].lines))
	for _, title := range titles() {
		var own []string
		for _, p := range parts[1:] {
			if p.title == title {
				own = append(own, trimBlank(p.lines)...)
			}
		}
		add(under(title, own, generated(sections, title, said, f)))
	}
	for _, p := range parts[1:] {
		if !slices.Contains(titles(), p.title) {
			add(under(p.title, trimBlank(p.lines), nil))
		}
	}
	return out
}

// under puts a heading above lines, if there are any.
func under(title string, own, more []string) []string {
	if len(own)+len(more) == 0 {
		return nil
	}
	lines := append([]string{"### " + title, ""}, own...)
	if len(own) > 0 && len(more) > 0 && !inList(own[len(own)-1]) {
		lines = append(lines, "")
	}
	return append(lines, more...)
}

// inList reports whether a line can only be part of a list.
func inList(line string) bool {
	return strings.HasPrefix(line, "- ") || strings.HasPrefix(line, "  ")
}

// generated returns the lines of a section's entries.
func generated(sections []section, title string, said map[string]bool, f Forge) []string {
	var lines []string
	for _, s := range sections {
		for _, e := range s.entries {
			if s.title != title || said[fold(e.subject)] || said[fold(e.scope+": "+e.subject)] {
				continue
			}
			lines = append(lines, strings.Split(strings.TrimSuffix(e.markdown(f), "\n"), "\n")...)
		}
	}
	return lines
}

// split takes lines apart at headings of level 3.
func split(lines []string) []part {
	parts := []part{{}}
	var open fence
	for i, line := range lines {
		if open.isOpen() {
			open.close(line)
		} else if open = openFence(i, line); open.isOpen() {
			open.closeComment(line)
		} else if title, ok := strings.CutPrefix(strings.TrimLeft(line, " "), "### "); ok && !strings.HasPrefix(line, "    ") {
			parts = append(parts, part{title: known(strings.TrimSpace(title))})
			continue
		}
		last := &parts[len(parts)-1]
		last.lines = append(last.lines, line)
	}
	return parts
}

// known returns the title that people mean.
func known(title string) string {
	for _, t := range titles() {
		if strings.EqualFold(t, title) {
			return t
		}
	}
	if strings.EqualFold(title, "Breaking changes") || strings.EqualFold(title, "Breaking change") {
		return breaking
	}
	return title
}

func trimBlank(lines []string) []string {
	blank := func(s string) bool { return strings.TrimSpace(s) == "" }
	for len(lines) > 0 && blank(lines[0]) {
		lines = lines[1:]
	}
	for len(lines) > 0 && blank(lines[len(lines)-1]) {
		lines = lines[:len(lines)-1]
	}
	return lines
}
