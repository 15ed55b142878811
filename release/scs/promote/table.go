package promote

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/release/changelog"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

// Update is a change of a system's lock, for people who decide on it.
type Update struct {
	From *scs.Lock // nil for the first
	To   *scs.Lock
	// Result says what the tests of To came to: "12 passed in 1m40s". It may come
	// from outside, as may what the lock holds back.
	Result string
}

// Table tells an update as Markdown: each service that changes or is held back,
// the result of the tests, and the commands that show why something is held
// back. It can stand in a merge request and in the message of a commit.
func Table(u Update) string {
	before := scs.Combination{}
	if u.From != nil {
		before = u.From.Combination
	}
	var b strings.Builder
	rows := u.rows(before)
	if len(rows) > 0 {
		b.WriteString("| service | from | to | change | held back |\n|---|---|---|---|---|\n")
	}
	for _, r := range rows {
		b.WriteString("| " + strings.Join(r, " | ") + " |\n")
	}
	for _, line := range u.others(before) {
		b.WriteString(separate(&b) + line + "\n")
	}
	if u.Result != "" {
		b.WriteString(separate(&b) + "Tests: " + changelog.Text(u.Result) + "\n")
	}
	for i, h := range u.replays() {
		if i == 0 {
			b.WriteString(separate(&b) + "To see it fail:\n\n")
		}
		fmt.Fprintf(&b, "- %s %s: %s\n", item(h.Service), changelog.Text(h.Version), command(h.Replay))
	}
	return b.String()
}

// separate is a blank line where something stands above.
func separate(b *strings.Builder) string {
	if b.Len() == 0 {
		return ""
	}
	return "\n"
}

func (u Update) rows(before scs.Combination) [][]string {
	var rows [][]string
	changed := map[string]bool{}
	for _, c := range scs.Diff(before, u.To.Combination) {
		changed[c.Service] = true
		rows = append(rows, []string{c.Service, shown(c.From), shown(c.To), direction(c), u.held(c.Service)})
	}
	for _, h := range u.To.Held {
		if changed[h.Service] {
			continue
		}
		changed[h.Service] = true
		at := shown(u.To.Member(h.Service))
		rows = append(rows, []string{changelog.Text(h.Service), at, at, "stays", u.held(h.Service)})
	}
	slices.SortStableFunc(rows, func(a, b []string) int { return cmp.Compare(a[0], b[0]) })
	return rows
}

// held says which versions of a service are held back, and by what.
func (u Update) held(service string) string {
	var list []string
	for _, h := range u.To.Held {
		if h.Service != service {
			continue
		}
		text := changelog.Text(h.Version)
		if len(h.With) > 0 {
			var with []string
			for _, w := range h.With {
				with = append(with, changelog.Text(w))
			}
			text += " with " + strings.Join(with, " and ")
		}
		list = append(list, text+": "+changelog.Text(h.Why))
	}
	return strings.Join(list, "; ")
}

// others are changes that are no service.
func (u Update) others(before scs.Combination) []string {
	if u.From == nil {
		return nil
	}
	var lines []string
	if before.Suite != u.To.Suite {
		lines = append(lines, "The acceptance tests have changed.")
	}
	if before.Values != u.To.Values {
		lines = append(lines, "The values have changed.")
	}
	return lines
}

func (u Update) replays() []scs.Held {
	return slices.DeleteFunc(slices.Clone(u.To.Held), func(h scs.Held) bool { return strings.TrimSpace(h.Replay) == "" })
}

// command shows a command as code: nothing in it has a meaning.
func command(s string) string {
	if s = visible(strings.Join(strings.Fields(s), " ")); s == "" {
		return "(no text)"
	}
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return fence + s + fence
}
