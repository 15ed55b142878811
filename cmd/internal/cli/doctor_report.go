package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// doctorState says how a check ended, the worst last.
type doctorState string

const (
	doctorNotNeeded doctorState = "not needed"
	doctorOK        doctorState = "ok"
	// doctorWarning: all stages can be tested, but something is slower, or a
	// release is affected, or nobody can tell.
	doctorWarning doctorState = "warning"
	// doctorProblem: a stage of this project cannot be tested, or its
	// configuration is wrong.
	doctorProblem doctorState = "problem"
)

func (s doctorState) rank() int {
	return slices.Index([]doctorState{doctorNotNeeded, doctorOK, doctorWarning, doctorProblem}, s)
}

// doctorLine is what a check found.
type doctorLine struct {
	Group string      `json:"group"`
	Name  string      `json:"name"`
	State doctorState `json:"state"`
	// Found says what is there.
	Found string `json:"found"`
	// Consequence says what follows from it, and Remedy what to do: a command
	// or a setting. Both are empty when all is well.
	Consequence string `json:"consequence,omitempty"`
	Remedy      string `json:"remedy,omitempty"`
	// NotTested are the stages, "SERVICE/STAGE", that cannot be tested.
	NotTested []string `json:"notTested,omitempty"`
}

// doctorReport is the whole of `pipeline doctor --json`.
type doctorReport struct {
	Pipeline  string       `json:"pipeline"`
	Dir       string       `json:"dir"`
	State     doctorState  `json:"state"`
	NotTested []string     `json:"notTested"`
	Checks    []doctorLine `json:"checks"`
}

// newDoctorReport sums up. Credentials in addresses are taken out of all texts.
func newDoctorReport(dir string, lines []doctorLine) doctorReport {
	r := doctorReport{Pipeline: ownVersion(), Dir: dir, State: doctorOK, NotTested: []string{}, Checks: []doctorLine{}}
	for _, l := range lines {
		l.Found, l.Consequence, l.Remedy = withoutLogin(l.Found), withoutLogin(l.Consequence), withoutLogin(l.Remedy)
		if l.State.rank() > r.State.rank() {
			r.State = l.State
		}
		for _, n := range l.NotTested {
			if !slices.Contains(r.NotTested, n) {
				r.NotTested = append(r.NotTested, n)
			}
		}
		r.Checks = append(r.Checks, l)
	}
	return r
}

// withoutLogin removes user and password from the URLs in a text.
func withoutLogin(text string) string {
	return regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s,|"']*@`).ReplaceAllString(text, "$1")
}

func (r doctorReport) json(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// The columns of the text, in characters.
const (
	doctorColumns = 80
	doctorStates  = 12 // width of the column of states, and its indentation
)

// text prints the report in groups, aligned, and not wider than 80 columns
// unless a single word is.
func (r doctorReport) text(w io.Writer) error {
	var b strings.Builder
	names := 0
	for _, l := range r.Checks {
		names = max(names, len(l.Name))
	}
	group := ""
	for _, l := range r.Checks {
		if l.Group != group {
			group = l.Group
			fmt.Fprintln(&b, group)
		}
		l.write(&b, names)
	}
	fmt.Fprintln(&b, r.summary())
	_, err := io.WriteString(w, b.String())
	return err
}

func (l doctorLine) write(b *strings.Builder, names int) {
	head := fmt.Sprintf("  %-*s%-*s  ", doctorStates, l.State, names, l.Name)
	column(b, head, len(head), l.Found)
	for _, more := range []struct{ what, text string }{{"so: ", l.Consequence}, {"do: ", l.Remedy}} {
		if more.text != "" {
			indent := strings.Repeat(" ", doctorStates+2) + more.what
			column(b, indent, len(indent), more.text)
		}
	}
}

// column writes a text behind head, broken into lines that begin in the given
// column. What stands in backticks is a command and is not broken.
func column(b *strings.Builder, head string, indent int, text string) {
	line, empty := head, true
	for _, word := range words(printable(text)) {
		if !empty && len([]rune(line))+len([]rune(word))+1 > doctorColumns {
			fmt.Fprintln(b, strings.TrimRight(line, " "))
			line, empty = strings.Repeat(" ", indent), true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	fmt.Fprintln(b, strings.TrimRight(line, " "))
}

// words splits a text at spaces that are not within backticks.
func words(text string) []string {
	return regexp.MustCompile("(?:[^\\s`]|`[^`]*`|`)+").FindAllString(text, -1)
}

// summary is the last line: what cannot be tested, in a few words.
func (r doctorReport) summary() string {
	count := map[doctorState]int{}
	for _, l := range r.Checks {
		count[l.State]++
	}
	parts := []string{"no problem"}
	if n := count[doctorProblem]; n > 0 {
		parts[0] = plural(n, "problem")
	}
	if n := count[doctorWarning]; n > 0 {
		parts = append(parts, plural(n, "warning"))
	}
	line := strings.Join(parts, ", ")
	if len(r.NotTested) > 0 {
		line += "; not tested here: " + strings.Join(r.NotTested, ", ")
	}
	var b strings.Builder
	column(&b, "", 2, line)
	return strings.TrimRight(b.String(), "\n")
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
