package version

import "strings"

// FromCommits returns what the commits ask for, newest first: the highest of
// what each says by the form of Conventional Commits 1.0.0 or by a GitLab
// changelog trailer ("Changelog: added").
//
// Where the specification leaves it open:
//   - A commit that has no form counts as a patch, unless it is a merge: that
//     says nothing by itself, its commits are in the list. The title that GitLab
//     writes below counts.
//   - A squash counts by its own subject. Only when that has no form, the
//     subjects listed in its body ("* feat: x") count.
//   - A revert and what it reverts count for nothing when both are in the list
//     (as with semantic-release; the specification defines no behaviour). A
//     revert of something older is a patch: whether that breaks anything, the
//     proof says. A revert is matched by the hash that it names where commits
//     have hashes, else by the subject.
//   - Of the types that the specification does not know, docs, test, ci, chore
//     and style change nothing that is shipped; all others count as a patch.
func FromCommits(commits []Commit) Bump {
	highest := None
	for _, c := range claims(commits) {
		highest = max(highest, c.Bump)
	}
	return highest
}

// claims returns for each commit that counts what it asks for, in order.
func claims(commits []Commit) []Reason {
	dead := cancelled(commits)
	var list []Reason
	for i, c := range commits {
		if bump := fromCommit(c); bump > None && !dead[i] {
			list = append(list, Reason{Bump: bump, Where: short(c.Hash), Text: c.Subject})
		}
	}
	return list
}

func short(hash string) string { return hash[:min(len(hash), 8)] }

func fromCommit(c Commit) Bump {
	m := Parse(c)
	trailer, hasTrailer := m.Footer("Changelog")
	bump := None
	switch {
	case m.Breaking:
		return Major
	case m.Conventional():
		bump = typeBump(m.Type)
	case mergeSubject(c.Subject):
		bump = subjectBump(c.Body)
	case !hasTrailer:
		bump = squashBump(c.Body)
	}
	if hasTrailer {
		bump = max(bump, trailerBump(trailer))
	}
	return bump
}

// subjectBump reads a text whose first line may be a subject.
func subjectBump(text string) Bump {
	line, _, _ := strings.Cut(text, "\n")
	typ, _, _, breaking := parseSubject(line)
	switch {
	case breaking:
		return Major
	case typ == "":
		return None
	}
	return typeBump(typ)
}

// squashBump reads the list of a squash. Words without a form are a patch.
func squashBump(body string) Bump {
	bump, found := None, false
	for _, subject := range listed(body) {
		if typ, _, _, _ := parseSubject(subject); typ != "" {
			found = true
			bump = max(bump, subjectBump(subject))
		}
	}
	if !found {
		return Patch
	}
	return bump
}

func typeBump(typ string) Bump {
	switch typ {
	case "feat":
		return Minor
	case "docs", "test", "tests", "ci", "chore", "style":
		return None
	}
	return Patch
}

// trailerBump knows GitLab's categories (docs.gitlab.com, "Changelogs").
// Deprecating asks for a minor version by SemVer 2.0.0, section 7.
func trailerBump(trailer string) Bump {
	switch strings.ToLower(trailer) {
	case "added", "deprecated":
		return Minor
	case "removed":
		return Major
	case "other":
		return None
	}
	return Patch
}

// cancelled marks the commits that a newer one in the list takes back, and the
// ones that take them back. From the newest on, so that a revert which is
// itself reverted takes nothing back.
func cancelled(commits []Commit) []bool {
	dead := make([]bool, len(commits))
	for i, c := range commits {
		hash, subject, ok := reverted(c)
		if dead[i] || !ok {
			continue
		}
		for j := i + 1; j < len(commits); j++ {
			if !dead[j] && sameCommit(commits[j], hash, subject) {
				dead[i], dead[j] = true, true
				break
			}
		}
	}
	return dead
}

func sameCommit(c Commit, hash, subject string) bool {
	if hash != "" && c.Hash != "" {
		return strings.HasPrefix(c.Hash, hash)
	}
	return c.Subject == subject
}
