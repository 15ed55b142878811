package changelog

import (
	"slices"
	"strings"
)

// reference names a merge request ("group/project!12") or an issue ("#12").
type reference struct {
	project string // "" for the own one
	sign    byte   // '!' or '#'
	number  string
}

func (r reference) String() string { return r.project + string(r.sign) + r.number }

// parseReference reads a whole word.
func parseReference(word string) (reference, bool) {
	at := strings.LastIndexAny(word, "!#")
	if at < 0 {
		return reference{}, false
	}
	r := reference{project: word[:at], sign: word[at], number: word[at+1:]}
	return r, isNumber(r.number) && (r.project == "" || isProject(r.project))
}

func isNumber(s string) bool {
	return s != "" && len(s) <= 18 && strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// references reads the merge requests and issues that a body names on lines
// that are about them, without repetitions: "See merge request
// group/project!12", which GitLab writes, trailers like "Merge-Request: !12",
// and what closes an issue ("Closes #3, group/other#4"). Prose is not read.
func references(body string) []reference {
	var all []reference
	for line := range strings.Lines(body) {
		if !strings.ContainsAny(line, "!#") {
			continue
		}
		words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == '\n' || r == '\r' })
		for _, word := range words[introduction(words):] {
			if r, ok := parseReference(strings.TrimRight(word, ".;)")); ok {
				if !slices.Contains(all, r) {
					all = append(all, r)
				}
			} else if word != "and" && word != "&" {
				break
			}
		}
	}
	return all
}

// introduction returns how many words introduce references; all, where none do.
func introduction(words []string) int {
	var phrase strings.Builder
	for i := 0; i < len(words) && i < 3; i++ {
		phrase.WriteString(strings.ToLower(strings.TrimSuffix(words[i], ":")) + " ")
		switch phrase.String() {
		case "see merge request ", "merge-request ", "merge request ", "mr ",
			"close ", "closes ", "closed ", "fix ", "fixes ", "fixed ", "resolve ", "resolves ", "resolved ",
			"implement ", "implements ", "implemented ", "related to ", "relates to ", "refs ", "ref ", "issue ", "issues ":
			return i + 1
		}
	}
	return len(words)
}

// reverted returns the hashes, possibly short, of what a commit takes back: by
// git's "This reverts commit HASH", or by a footer "Refs: HASH, HASH" of a
// commit of type revert, which Conventional Commits recommends.
func (c *Commit) reverted() []string {
	const form = "This reverts commit "
	if fold(c.Type) != "revert" && !strings.Contains(c.Body, form) {
		return nil
	}
	var hashes []string
	for line := range strings.Lines(c.Body) {
		rest, ok := strings.CutPrefix(line, form)
		if ok {
			rest, _, _ = strings.Cut(rest, " ") // "..., reversing changes made to HASH" is a parent
		} else if rest, ok = strings.CutPrefix(line, "Refs: "); !ok || fold(c.Type) != "revert" {
			continue
		}
		for _, word := range strings.FieldsFunc(rest, func(r rune) bool { return !isHex(r) }) {
			if len(word) >= shortHash {
				hashes = append(hashes, word)
			}
		}
	}
	return hashes
}

// shortHash is the length of the shortest abbreviation that git makes.
const shortHash = 7

func isHex(r rune) bool { return '0' <= r && r <= '9' || 'a' <= r && r <= 'f' }
