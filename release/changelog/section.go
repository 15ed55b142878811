package changelog

import (
	"cmp"
	"slices"
	"strings"
)

// section is a heading with its entries.
type section struct {
	title   string
	entries []entry
}

// entry is one thing that is told.
type entry struct {
	scope   string
	subject string
	details []string // texts below it
	code    string   // shown as code behind it
	hashes  []string
	refs    []reference
	title   string
}

// commitsShown is how many commits of one entry are linked.
const commitsShown = 3

// sections returns what a release tells, without empty ones, in the order of
// titles. In each, what is about the whole comes before the scopes in
// alphabetical order, and newer before older.
func (r *Release) sections() []section {
	by := map[string][]entry{}
	for _, e := range r.entries() {
		by[e.title] = append(by[e.title], *e)
	}
	var all []section
	for _, title := range titles() {
		entries := by[title]
		slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Compare(a.scope, b.scope) })
		entries = append(entries, r.provenEntries(title)...)
		if len(entries) > 0 {
			all = append(all, section{title: title, entries: entries})
		}
	}
	return all
}

// entries are those of the commits. What has the same scope and subject, as a
// change and its copy on another branch have, is one entry.
func (r *Release) entries() []*entry {
	h := newHistory(r.Commits)
	var all []*entry
	known := map[string]*entry{}
	for i := range r.Commits {
		c := &r.Commits[i]
		title := c.title()
		if title == "" || h.gone(i) || h.carries(i) {
			continue
		}
		key := fold(c.Scope) + "\x00" + cmp.Or(fold(c.Subject), c.Hash)
		e := known[key]
		if e == nil {
			e = &entry{scope: plain(c.Scope), subject: c.Subject, title: title}
			known[key] = e
			all = append(all, e)
		}
		e.add(c, title, h.references(i))
	}
	return all
}

func (e *entry) add(c *Commit, title string, refs []reference) {
	if title == breaking {
		e.title = breaking
	}
	if len(e.hashes) < commitsShown {
		e.hashes = append(e.hashes, c.Hash)
	}
	for _, text := range c.Breaking {
		if fold(text) != "" && fold(text) != fold(c.Subject) && !slices.Contains(e.details, text) {
			e.details = append(e.details, text)
		}
	}
	for _, ref := range refs {
		if !slices.Contains(e.refs, ref) {
			e.refs = append(e.refs, ref)
		}
	}
}

// provenEntries are the proven changes that a section tells, in the order of
// the places.
func (r *Release) provenEntries(title string) []entry {
	var all []entry
	for _, c := range r.Proven {
		if title == breaking && c.Bump == Major || title == proven && c.Bump != Major {
			all = append(all, entry{subject: c.Text, code: plain(c.Where)})
		}
	}
	slices.SortStableFunc(all, func(a, b entry) int { return cmp.Compare(a.code, b.code) })
	return all
}

// markdown writes an entry as a list item, with a line break at its end.
func (e *entry) markdown(f Forge) string {
	var b strings.Builder
	b.WriteString("- ")
	if e.scope != "" {
		b.WriteString("**" + f.inline(e.scope) + ":** " + cmp.Or(f.inline(e.subject), "(no text)"))
	} else {
		b.WriteString(f.block(e.subject))
	}
	if e.code != "" {
		b.WriteString(" in " + codeSpan(e.code))
	}
	if links := e.links(f); links != "" {
		b.WriteString(" (" + links + ")")
	}
	b.WriteString("\n")
	for _, d := range e.details {
		b.WriteString("  - " + f.block(d) + "\n")
	}
	return b.String()
}

// links are the commits, the merge requests and the issues of an entry.
func (e *entry) links(f Forge) string {
	var b strings.Builder
	add := func(parts ...string) {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		for _, p := range parts {
			b.WriteString(p)
		}
	}
	for _, hash := range e.hashes {
		switch short := hash[:min(8, len(hash))]; {
		case hash == "" || strings.IndexFunc(hash, func(r rune) bool { return !isHex(r) }) >= 0:
		case f.none():
			add(short)
		default:
			add("[", short, "](", f.commit(hash), ")")
		}
	}
	if f.none() {
		return b.String()
	}
	for _, sign := range []byte("!#") {
		for _, ref := range e.refs {
			if ref.sign != sign {
				continue
			}
			if ref.project == f.project {
				ref.project = ""
			}
			add("[", escapeEdges(ref.String()), "](", f.reference(ref), ")")
		}
	}
	return b.String()
}
