package passport

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Text prints the passport for people: what it is, the members, one line for
// each gate, the approvers, the exceptions, what does not count, and last what
// refuses, with what to do. It ends with a newline. Text from outside is made
// harmless for a terminal.
func (p *Passport) Text() string {
	var b strings.Builder
	p.head(&b)
	p.members(&b)
	p.gates(&b)
	p.approvers(&b)
	p.exceptions(&b)
	p.ignored(&b)
	p.refused(&b)
	return b.String()
}

func (p *Passport) head(b *strings.Builder) {
	name := plain(strings.TrimSpace(p.System + " " + p.Version))
	if len(p.Members) == 1 && p.ID == p.Members[0].Bundle {
		name = plain(nameOf(p.Members[0])) + " for " + plain(p.System)
	}
	if p.Environment != "" {
		name += " in " + plain(p.Environment)
	}
	switch {
	case !p.Valid():
		fmt.Fprintf(b, "%s: REFUSED, %s below\n", name, count(len(p.Refusals), "reason"))
	case p.Until.IsZero():
		fmt.Fprintf(b, "%s: valid\n", name)
	default:
		fmt.Fprintf(b, "%s: valid until %s\n", name, date(p.Until))
	}
	if p.ID != "" {
		fmt.Fprintf(b, "id %s\n", plain(string(p.ID)))
	}
	if p.Sequence > 0 {
		fmt.Fprintf(b, "promotion number %d, commit %s\n", p.Sequence, plain(p.Commit))
	}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func (p *Passport) members(b *strings.Builder) {
	rows := [][]string{{"SERVICE", "VERSION", "BUNDLE", "SOURCE"}}
	for _, m := range p.Members {
		rows = append(rows, []string{m.Service, m.Version, m.Bundle.Short(), m.Source})
	}
	if len(p.Members) > 0 {
		b.WriteString("\n")
		table(b, "", rows)
	}
}

func (p *Passport) gates(b *strings.Builder) {
	rows := [][]string{}
	for _, f := range p.Findings {
		rows = append(rows, []string{f.Status, f.Subject, f.Rule, signed(f), f.Why})
	}
	section(b, "GATES", rows)
}

// signed says who signed the statement that meets a gate, and when.
func signed(f Finding) string {
	if f.Key == "" {
		return ""
	}
	by := "key " + short(f.Key)
	if f.By != "" {
		by = f.By + ", " + by
	}
	return by + ", " + period(f.At, f.Until)
}

func period(from, until time.Time) string {
	if until.IsZero() {
		return date(from)
	}
	return date(from) + " to " + date(until)
}

func (p *Passport) approvers(b *strings.Builder) {
	var rows [][]string
	for _, f := range p.Findings {
		if f.Rule == RuleConsent && f.Status == Met {
			rows = append(rows, []string{f.By, "key " + short(f.Key), period(f.At, f.Until)})
		}
	}
	section(b, "APPROVERS", rows)
}

func (p *Passport) exceptions(b *strings.Builder) {
	var rows [][]string
	for _, e := range p.Exceptions {
		status, by := e.Status, ""
		if e.Release {
			status += " at release"
		}
		if e.By != "" {
			by = " (" + e.By + ")"
		}
		rows = append(rows, []string{e.Subject, e.Rule, status, "until " + date(e.Until), e.Reason + by})
	}
	section(b, "EXCEPTIONS", rows)
}

// mostIgnored is how many statements that do not count are printed: anybody may
// attach more of them.
const mostIgnored = 20

func (p *Passport) ignored(b *strings.Builder) {
	var rows [][]string
	for _, i := range p.Ignored[:min(len(p.Ignored), mostIgnored)] {
		rows = append(rows, []string{string(i.Class), i.Subject, i.Says, i.Why})
	}
	section(b, "DOES NOT COUNT", rows)
	if left := len(p.Ignored) - mostIgnored; left > 0 {
		fmt.Fprintf(b, "  and %d more\n", left)
	}
}

func (p *Passport) refused(b *strings.Builder) {
	if len(p.Refusals) == 0 {
		return
	}
	b.WriteString("\nREFUSED\n")
	for _, r := range p.Refusals {
		fmt.Fprintf(b, "  %s: %s, %s: %s\n", r.Class, plain(r.Subject), plain(r.Rule), plain(r.Why))
		fmt.Fprintf(b, "    -> %s\n", plain(r.Remedy))
	}
}

func section(b *strings.Builder, title string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	table(b, "  ", rows)
}

// table prints rows with aligned columns.
func table(b *strings.Builder, indent string, rows [][]string) {
	widths := map[int]int{}
	for _, row := range rows {
		for i := range row {
			row[i] = plain(row[i])
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	for _, row := range rows {
		line := indent
		for i, cell := range row {
			line += cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// widest is the length at which a text from outside is cut, in characters.
const widest = 240

// plain makes a text one line that neither moves the cursor nor turns the
// direction of what follows.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > widest {
		return string(runes[:widest]) + "…"
	}
	return text
}
