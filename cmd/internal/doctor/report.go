package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// State says how a check ended.
type State string

// The states, the worst last.
const (
	NotNeeded State = "not needed"
	OK        State = "ok"
	// Warning: all stages can be tested, but something is slower, or a
	// release is affected, or nobody can tell.
	Warning State = "warning"
	// Problem: a stage of this project cannot be tested, or its
	// configuration is wrong.
	Problem State = "problem"
)

func (s State) rank() int {
	return slices.Index([]State{NotNeeded, OK, Warning, Problem}, s)
}

// Finding is what a check found.
type Finding struct {
	Group string `json:"group"`
	Name  string `json:"name"`
	State State  `json:"state"`
	// Found says what is there.
	Found string `json:"found"`
	// Consequence says what follows from it, and Remedy what to do: a command
	// or a setting. Both are empty when all is well.
	Consequence string `json:"consequence,omitempty"`
	Remedy      string `json:"remedy,omitempty"`
	// NotTested are the stages, "SERVICE/STAGE", that cannot be tested.
	NotTested []string `json:"notTested,omitempty"`
}

// Report is the whole of `pipeline doctor --json`. State is the worst of all,
// NotTested has each stage once, Checks are in the order in which they are shown.
type Report struct {
	Pipeline  string    `json:"pipeline"`
	Dir       string    `json:"dir"`
	State     State     `json:"state"`
	NotTested []string  `json:"notTested"`
	Checks    []Finding `json:"checks"`
}

// newReport sums up. Credentials in addresses are taken out of all texts.
func newReport(version, dir string, lines []Finding) Report {
	r := Report{Pipeline: version, Dir: dir, State: OK, NotTested: []string{}, Checks: []Finding{}}
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

// JSON prints the report as one indented document.
func (r Report) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// The columns of the text, in characters.
const (
	columns    = 80
	stateWidth = 12 // width of the column of states, and its indentation
)

// Text prints the report in groups, aligned, and not wider than 80 columns
// unless a single word is. printable makes foreign text harmless for a terminal.
func (r Report) Text(w io.Writer, printable func(string) string) error {
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
		l.Found, l.Consequence, l.Remedy = printable(l.Found), printable(l.Consequence), printable(l.Remedy)
		l.write(&b, names)
	}
	fmt.Fprintln(&b, printable(r.summary()))
	_, err := io.WriteString(w, b.String())
	return err
}

func (l Finding) write(b *strings.Builder, names int) {
	head := fmt.Sprintf("  %-*s%-*s  ", stateWidth, l.State, names, l.Name)
	column(b, head, len(head), l.Found)
	for _, more := range []struct{ what, text string }{{"so: ", l.Consequence}, {"do: ", l.Remedy}} {
		if more.text != "" {
			indent := strings.Repeat(" ", stateWidth+2) + more.what
			column(b, indent, len(indent), more.text)
		}
	}
}

// column writes a text behind head, broken into lines that begin in the given
// column. What stands in backticks is a command and is not broken.
func column(b *strings.Builder, head string, indent int, text string) {
	line, empty := head, true
	for _, word := range words(text) {
		if !empty && len([]rune(line))+len([]rune(word))+1 > columns {
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
func (r Report) summary() string {
	count := map[State]int{}
	for _, l := range r.Checks {
		count[l.State]++
	}
	parts := []string{"no problem"}
	if n := count[Problem]; n > 0 {
		parts[0] = plural(n, "problem")
	}
	if n := count[Warning]; n > 0 {
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
