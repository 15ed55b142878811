package changelog

import (
	"fmt"
	"strings"
)

// notesLimit keeps notes below the million characters that GitLab takes for the
// description of a release, in bytes.
const notesLimit = 900_000

// nothing is said where there is no entry.
const nothing = "No notable changes."

// Notes returns the notes of a release as Markdown: what people wrote, a
// section for each kind of change, and the address of the whole difference.
// They have no title: a release has a name of its own. What does not fit into
// GitLab's limit is counted.
func Notes(r Release) string {
	var b strings.Builder
	if written := strings.TrimSpace(r.Written); written != "" {
		b.WriteString(withoutQuickActions(written) + "\n\n")
	}
	if r.Previous == "" {
		b.WriteString("First release.\n\n")
	}
	sections := r.sections()
	if len(sections) == 0 && r.Previous != "" && b.Len() == 0 {
		b.WriteString(nothing + "\n\n")
	}
	omitted := 0
	for _, s := range sections {
		omitted += s.notes(&b, r.Forge)
	}
	if omitted > 0 {
		fmt.Fprintf(&b, "%d more changes are not listed here.\n\n", omitted)
	}
	if !r.Forge.none() && r.Previous != "" {
		fmt.Fprintf(&b, "[All changes since %s](%s)\n", Forge{}.inline(r.Previous), r.Forge.compare(r.Previous, r.Tag))
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// notes writes a section and returns how many of its entries found no room.
func (s section) notes(b *strings.Builder, f Forge) (omitted int) {
	if b.Len() < notesLimit {
		fmt.Fprintf(b, "### %s\n\n", s.title)
	}
	for _, e := range s.entries {
		text := e.markdown(f)
		if b.Len()+len(text) > notesLimit {
			omitted++
			continue
		}
		b.WriteString(text)
	}
	b.WriteString("\n")
	return omitted
}

// withoutQuickActions keeps lines that begin with a slash from being commands
// to GitLab: docs.gitlab.com/user/project/quick_actions.
func withoutQuickActions(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if at := len(line) - len(strings.TrimLeft(line, " \t")); strings.HasPrefix(line[at:], "/") {
			line = line[:at] + `\` + line[at:]
		}
		b.WriteString(line)
	}
	return b.String()
}
