// Package changelog tells people what a release changes: as notes in
// GitLab-flavoured Markdown, and as a section of a file in the form of Keep a
// Changelog 1.1.0 (keepachangelog.com/en/1.1.0).
//
// Both are made of the same grouping: breaking changes first, then by kind and
// scope, then what was proven by the code. It is pure: commits come parsed, the
// caller writes what comes out. Two properties hold whatever the input is. The
// text of a commit stays text: it cannot become HTML, a mention, a quick action
// or another list. And a file is either extended, with every older section as
// it was to the byte, or refused with the line that is not understood.
package changelog

import (
	"cmp"
	"time"
)

// Commit is one commit, parsed by the caller.
type Commit struct {
	// Hash is the full hash, in lower case.
	Hash string
	// Parents are the full hashes of its parents, the first one first. Without
	// them a merge is known by its subject alone, and what it brought is not.
	Parents []string
	// Type and Scope are those of Conventional Commits 1.0.0
	// (conventionalcommits.org); a subject without that form has none.
	Type, Scope string
	// Subject is the description: the first line without type and scope.
	Subject string
	// Breaking has an entry for each thing that breaks: the text of a footer, or
	// "" for the mark "!", which has no text of its own.
	Breaking []string
	// Trailer is the value of GitLab's trailer "Changelog:"; "" without one.
	Trailer string
	// Body is everything after the first line. References to merge requests,
	// issues and other commits are read from it.
	Body string
}

// Bump is how much of a version a change moves.
type Bump string

// The bumps of Semantic Versioning 2.0.0.
const (
	Major Bump = "major"
	Minor Bump = "minor"
	Patch Bump = "patch"
)

// Change is a difference to the last release that the code proves.
type Change struct {
	Text string // what it is: "Client.Do: removed"
	Bump Bump   // Major is told under Breaking
	// Where names the package, the file or the service; it is shown as code.
	Where string
}

// Release is what there is to tell.
type Release struct {
	Version string // Semantic Versioning, without "v"
	// Tag is the name of the release's tag, Previous that of the release before:
	// "v1.2.0", "stock/v1.2.0". A first release has no Previous.
	Tag, Previous string
	// Date is shown as it is in its location.
	Date time.Time
	// Commits are those since Previous, newest first.
	Commits []Commit
	Proven  []Change
	Forge   Forge
	// Written is Markdown by people, put before everything in the notes:
	// see Unreleased. It is not escaped.
	Written string
}

// The titles of sections, in the order in which they are shown: after Breaking
// those of Keep a Changelog, then two more.
const (
	breaking    = "Breaking"
	added       = "Added"
	changed     = "Changed"
	deprecated  = "Deprecated"
	removed     = "Removed"
	fixed       = "Fixed"
	security    = "Security"
	performance = "Performance"
	proven      = "Proven by the code"
)

func titles() []string {
	return []string{breaking, added, changed, deprecated, removed, fixed, security, performance, proven}
}

// title returns the section that tells a commit, "" for none.
func (c *Commit) title() string {
	switch {
	case len(c.Breaking) > 0:
		return breaking
	case c.Trailer != "":
		return cmp.Or(titleOfTrailer(c.Trailer), changed)
	case c.Type != "":
		return titleOfType(c.Type)
	}
	return changed
}

// titleOfTrailer knows the categories that GitLab suggests; see
// docs.gitlab.com/user/project/changelogs.
func titleOfTrailer(value string) string {
	switch fold(value) {
	case "added", "feature":
		return added
	case "deprecated":
		return deprecated
	case "removed":
		return removed
	case "fixed":
		return fixed
	case "security":
		return security
	case "performance":
		return performance
	}
	return ""
}

// titleOfType knows the types of the Angular convention. Those that change
// nothing which is shipped are not told.
func titleOfType(typ string) string {
	switch fold(typ) {
	case "feat":
		return added
	case "fix":
		return fixed
	case "perf":
		return performance
	case "docs", "test", "tests", "ci", "chore", "style":
		return ""
	}
	return cmp.Or(titleOfTrailer(typ), changed)
}
