package version

import (
	"regexp"
	"strings"
)

// Message is a commit message read by the form of Conventional Commits 1.0.0
// (conventionalcommits.org, "Specification"). The zero value of a field says
// that the message does not have it.
type Message struct {
	// Type is the lower-cased type; empty when the subject has not the form.
	Type, Scope string
	// Description is what follows the colon, or the whole subject.
	Description string
	// Text is the body without its footers.
	Text string
	// Footers are in the order of the message.
	Footers []Footer
	// Breaking says that "!" or a footer declares a breaking change.
	Breaking bool
}

// Footer is a trailer of a message: "Token: value" or "Token #value". The value
// may have several lines.
type Footer struct{ Token, Value string }

// Conventional reports whether the subject has the form "type(scope)!: text".
func (m Message) Conventional() bool { return m.Type != "" }

// BreakingText returns what breaks: the value of the first footer that says so,
// else the description of a subject with "!", else nothing.
func (m Message) BreakingText() string {
	for _, f := range m.Footers {
		if f.breaking() {
			return f.Value
		}
	}
	if m.Breaking {
		return m.Description
	}
	return ""
}

// Footer returns the value of the first footer with that token, in whatever
// case (rule 15), and whether there is one.
func (m Message) Footer(token string) (string, bool) {
	for _, f := range m.Footers {
		if strings.EqualFold(f.Token, token) {
			return f.Value, true
		}
	}
	return "", false
}

// breaking knows the one token that has to be in capitals (rules 12, 15, 16).
func (f Footer) breaking() bool {
	return f.Token == "BREAKING CHANGE" || f.Token == "BREAKING-CHANGE"
}

// Parse reads a commit. It has no errors: what has not the form is plain text.
func Parse(c Commit) Message {
	typ, scope, text, bang := parseSubject(c.Subject)
	m := Message{Type: typ, Scope: scope, Description: text, Breaking: bang}
	m.Text, m.Footers = parseBody(c.Body)
	for _, f := range m.Footers {
		m.Breaking = m.Breaking || f.breaking()
	}
	return m
}

// parseSubject reads "type(scope)!: description". The type is a noun: letters,
// digits and hyphens.
func parseSubject(subject string) (typ, scope, text string, breaking bool) {
	head, text, ok := strings.Cut(subject, ": ")
	if text = strings.TrimSpace(text); !ok || text == "" {
		return "", "", strings.TrimSpace(subject), false
	}
	head, breaking = strings.CutSuffix(head, "!")
	if open := strings.IndexByte(head, '('); open >= 0 && strings.HasSuffix(head, ")") {
		head, scope = head[:open], head[open+1:len(head)-1]
	}
	if !isNoun(head) || strings.ContainsAny(scope, "()\r\n") {
		return "", "", strings.TrimSpace(subject), false
	}
	return strings.ToLower(head), scope, text, breaking
}

func isNoun(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r != '-' && (r < '0' || r > '9')) {
			return false
		}
	}
	return s != ""
}

// parseBody splits the footers off. They begin with the first paragraph whose
// first line is a footer (rule 8 wants a blank line before); from there on each
// line that begins a footer ends the one before, and every other line, a blank
// one too, continues it (rule 10).
func parseBody(body string) (text string, footers []Footer) {
	lines := strings.Split(strings.ReplaceAll(body, "\r", ""), "\n")
	start := len(lines)
	for i := range lines {
		if _, ok := footerLine(lines[i]); ok && (i == 0 || strings.TrimSpace(lines[i-1]) == "") {
			start = i
			break
		}
	}
	for _, line := range lines[start:] {
		if f, ok := footerLine(line); ok {
			footers = append(footers, f)
			continue
		}
		footers[len(footers)-1].Value += "\n" + line
	}
	for i := range footers {
		footers[i].Value = strings.TrimSpace(footers[i].Value)
	}
	return strings.Trim(strings.Join(lines[:start], "\n"), "\n"), footers
}

// footerLine reads the first line of a footer. Only BREAKING CHANGE may have a
// space in its token (rule 9).
func footerLine(line string) (Footer, bool) {
	for _, separator := range []string{": ", " #"} {
		token, value, ok := strings.Cut(line, separator)
		if ok && strings.TrimSpace(value) != "" && (token == "BREAKING CHANGE" || isNoun(token)) {
			return Footer{token, value}, true
		}
	}
	return Footer{}, false
}

// mergeSubject returns the form of the subjects that git, GitLab and GitHub
// give to merges.
func mergeSubject(subject string) bool {
	for _, start := range []string{"Merge branch '", "Merge branches '", "Merge remote-tracking branch '", "Merge tag '", "Merge commit '", "Merge pull request #"} {
		if strings.HasPrefix(subject, start) {
			return true
		}
	}
	return false
}

// listed returns the subjects that a squash lists in its body: "* feat: x".
func listed(body string) []string {
	var subjects []string
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "* "); ok {
			subjects = append(subjects, rest)
		} else if rest, ok := strings.CutPrefix(line, "- "); ok {
			subjects = append(subjects, rest)
		}
	}
	return subjects
}

// reverted returns what a commit takes back: the hash that its body or a Refs
// footer names, and the subject that its own one quotes. ok is false when it is no revert.
func reverted(c Commit) (hash, subject string, ok bool) {
	if quoted, is := quotedSubject(c.Subject, "Reapply"); is {
		return revertedHash(c.Body), `Revert "` + quoted + `"`, true
	}
	if quoted, is := quotedSubject(c.Subject, "Revert"); is {
		return revertedHash(c.Body), quoted, true
	}
	if m := Parse(c); m.Type == "revert" {
		hash = revertedHash(c.Body)
		if refs, has := m.Footer("Refs"); has && hash == "" {
			hash = hashIn(refs)
		}
		return hash, m.Description, true
	}
	return "", "", false
}

// quotedSubject reads the subjects that git-revert writes.
func quotedSubject(subject, word string) (string, bool) {
	rest, ok := strings.CutPrefix(subject, word+` "`)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, `"`)
}

func revertedHash(body string) string {
	if _, rest, ok := strings.Cut(body, "This reverts commit "); ok {
		return hashIn(rest)
	}
	return ""
}

// hashIn returns the abbreviated or full hash that a text begins with.
func hashIn(text string) string {
	return regexp.MustCompile(`^[0-9a-f]{7,64}\b`).FindString(text)
}
