package promote

import (
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/changelog"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

// ReleaseNotes are what a release of a service says of itself (sign.Release).
type ReleaseNotes struct {
	Version string
	// Notes are Markdown, from outside.
	Notes string
	// Exceptions are rules that the release let pass.
	Exceptions []sign.Exception
}

// NotesOf returns those of a release statement.
func NotesOf(r sign.Release) ReleaseNotes {
	n := ReleaseNotes{Version: r.Version, Notes: r.Notes, Exceptions: slices.Concat(r.Overridden, r.Waived)}
	if r.Unsigned {
		n.Exceptions = append(n.Exceptions, sign.Exception{Rule: "signed", Reason: "no key vouches for the evidence"})
	}
	return n
}

// Changelog tells as Markdown what comes to a system with a new lock, service by
// service: the notes of the releases behind the old version, up to the new one,
// newest first. from is nil for the first. Of notes it takes headings, lists,
// code and links to the web; nothing in them can become HTML, a mention, a
// command of GitLab or a heading of the changelog itself.
func Changelog(from, to *scs.Lock, notes map[string][]ReleaseNotes) string {
	before := scs.Combination{}
	if from != nil {
		before = from.Combination
	}
	var b strings.Builder
	fmt.Fprintf(&b, "## %s %s\n", to.System, to.Version)
	changes := scs.Diff(before, to.Combination)
	for _, c := range changes {
		fmt.Fprintf(&b, "\n### %s: %s to %s\n", c.Service, shown(c.From), shown(c.To))
		for _, n := range between(c, notes[c.Service]) {
			n.write(&b)
		}
	}
	for _, other := range []struct {
		name     string
		from, to any
	}{{"acceptance tests", before.Suite, to.Suite}, {"values", before.Values, to.Values}} {
		if from != nil && other.from != other.to {
			fmt.Fprintf(&b, "\nThe %s have changed.\n", other.name)
		}
	}
	if from != nil && from.ID() == to.ID() {
		b.WriteString("\nNothing has changed.\n")
	}
	return b.String()
}

// between returns the notes of the versions that a change brings, newest first:
// none for one that goes back or is gone, and one for a service that is new.
func between(c scs.Change, all []ReleaseNotes) []ReleaseNotes {
	if c.To == nil {
		return nil
	}
	to, err := semver.NewVersion(c.To.Version)
	if err != nil {
		return nil
	}
	var from *semver.Version
	if c.From != nil {
		if from, err = semver.NewVersion(c.From.Version); err != nil {
			return nil
		}
	}
	type numbered struct {
		ReleaseNotes
		version *semver.Version
	}
	var list []numbered
	for _, n := range all {
		v, err := semver.NewVersion(n.Version)
		switch {
		case err != nil || v.GreaterThan(to):
		case from == nil && !v.Equal(to):
		case from != nil && !v.GreaterThan(from):
		case slices.ContainsFunc(list, func(other numbered) bool { return other.Version == n.Version }):
		default:
			list = append(list, numbered{n, v})
		}
	}
	slices.SortFunc(list, func(a, b numbered) int { return b.version.Compare(a.version) })
	var notes []ReleaseNotes
	for _, n := range list {
		notes = append(notes, n.ReleaseNotes)
	}
	return notes
}

func (n ReleaseNotes) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n#### %s\n", changelog.Text(n.Version))
	if text := harmless(n.Notes); text != "" {
		b.WriteString("\n" + text)
	}
	for i, e := range n.Exceptions {
		if i == 0 {
			b.WriteString("\n**Exceptions**\n\n")
		}
		fmt.Fprintf(b, "- %s: %s", item(e.Rule), changelog.Text(e.Reason))
		if e.By != "" {
			b.WriteString(", by " + changelog.Text(e.By))
		}
		if !e.Until.IsZero() {
			b.WriteString(", until " + e.Until.UTC().Format("2006-01-02"))
		}
		b.WriteString("\n")
	}
}
