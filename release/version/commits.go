package version

import (
	"regexp"
	"strings"
)

// FromCommits returns what the commits ask for: the highest of what each says
// by the form of Conventional Commits 1.0.0 (conventionalcommits.org) or by a
// GitLab changelog trailer ("Changelog: added"). A commit that says neither
// counts as a patch.
func FromCommits(commits []Commit) Bump {
	highest := None
	for _, c := range commits {
		highest = max(highest, fromCommit(c))
	}
	return highest
}

func fromCommit(c Commit) Bump {
	typ, breaking, conventional := parseSubject(c.Subject)
	trailer, hasTrailer := changelogTrailer(c.Body)
	switch {
	case breaking || breakingFooter(c.Body):
		return Major
	case hasTrailer:
		return trailerBump(trailer)
	case conventional:
		return typeBump(typ)
	}
	return Patch
}

var subjectForm = regexp.MustCompile(`^([A-Za-z]+)(\([^()]*\))?(!)?: +\S`)

// parseSubject reads "type(scope)!: description".
func parseSubject(subject string) (typ string, breaking, ok bool) {
	m := subjectForm.FindStringSubmatch(subject)
	if m == nil {
		return "", false, false
	}
	return strings.ToLower(m[1]), m[3] != "", true
}

// typeBump knows the types of the Angular convention; those that change
// nothing which is shipped ask for no release.
func typeBump(typ string) Bump {
	switch typ {
	case "feat":
		return Minor
	case "docs", "test", "tests", "ci", "chore", "style":
		return None
	}
	return Patch
}

func breakingFooter(body string) bool {
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "BREAKING CHANGE: ") || strings.HasPrefix(line, "BREAKING-CHANGE: ") {
			return true
		}
	}
	return false
}

// changelogTrailer returns the value of GitLab's Changelog trailer.
func changelogTrailer(body string) (string, bool) {
	for line := range strings.Lines(body) {
		if v, ok := strings.CutPrefix(line, "Changelog:"); ok {
			return strings.ToLower(strings.TrimSpace(v)), true
		}
	}
	return "", false
}

func trailerBump(trailer string) Bump {
	switch trailer {
	case "added", "deprecated":
		return Minor
	case "removed":
		return Major
	case "other":
		return None
	}
	return Patch
}
