package release

import (
	"fmt"
	"strings"

	"gitlab.com/selfcontained/pipeline/release/policy"
)

// Text is the draft for people, with what Check found of its steps.
func (d *Draft) Text(states []State) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", d.Service, d.title())
	d.writeReasons(&b)
	d.writeGate(&b)
	d.writeRefusals(&b)
	for i, s := range states {
		fmt.Fprintf(&b, "  step %d   %-7s  %s\n", i+1, s.state(), s.What)
		if s.Problem != "" {
			fmt.Fprintf(&b, "           %s\n", s.Problem)
		}
	}
	return b.String()
}

func (s State) state() string {
	switch {
	case s.Problem != "":
		return "problem"
	case s.Done:
		return "done"
	case s.There:
		return "there"
	}
	return "to do"
}

func (d *Draft) title() string {
	switch {
	case d.Nothing():
		return "has nothing to release"
	case d.Version == "":
		return "is not released"
	case len(d.Refusals) > 0:
		return d.Version + " is not released"
	case d.Previous == "":
		return d.Version + ", the first release"
	}
	return fmt.Sprintf("%s after %s (%s)", d.Version, d.Previous, d.Bump)
}

// shownReasons is how many are printed; the first ones weigh most.
const shownReasons = 12

func (d *Draft) writeReasons(b *strings.Builder) {
	for i, r := range d.Reasons {
		if i == shownReasons {
			fmt.Fprintf(b, "  because  and %d more\n", len(d.Reasons)-i)
			break
		}
		fmt.Fprintf(b, "  because  %-5s  %s\n", r.Bump, r.text())
	}
}

func (r Reason) text() string {
	text := r.Text
	if r.Where != "" {
		text = r.Where + ": " + text
	}
	if r.Rule != "" {
		text += " (" + r.Rule + ")"
	}
	return text
}

// writeRefusals prints what is wrong with the version; what the gate says
// stands there.
func (d *Draft) writeRefusals(b *strings.Builder) {
	for _, r := range d.Refusals {
		if r.Rule != "" {
			continue
		}
		fmt.Fprintf(b, "  refused  %s\n", r.Why)
		for _, line := range r.Details {
			fmt.Fprintf(b, "             %s\n", line)
		}
		fmt.Fprintf(b, "           %s\n", r.Remedy)
	}
}

func (d *Draft) writeGate(b *strings.Builder) {
	for _, f := range d.Gate.Findings {
		status := string(f.Status)
		if f.Status == policy.NotMet {
			status = "NOT MET"
		}
		why := f.Why
		if f.Exception != nil {
			why += "; " + strings.Join(strings.Fields(f.Exception.String()), " ")
		}
		fmt.Fprintf(b, "  gate     %-10s  %-18s  %s\n", status, f.Rule, why)
		if f.Remedy != "" && f.Status == policy.NotMet {
			fmt.Fprintf(b, "           %-10s  %-18s  %s\n", "", "", f.Remedy)
		}
	}
}
