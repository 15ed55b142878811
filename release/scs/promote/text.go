package promote

import (
	"fmt"
	"strings"

	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/changelog"
)

// message is that of the commit.
func (d *Draft) message(in Input) string {
	var b strings.Builder
	verb := "Promote"
	if d.Rollback {
		verb = "Roll back"
	}
	fmt.Fprintf(&b, "%s %s %s to %s\n\n", verb, d.System, d.Version, d.Environment)
	if d.Rollback {
		b.Reset()
		fmt.Fprintf(&b, "%s %s to %s %s\n\n", verb, d.Environment, d.System, d.Version)
	}
	for _, c := range d.Changes {
		b.WriteString(c + "\n")
	}
	if len(d.Changes) > 0 {
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "Combination: %s\nLock-From: %s\nSequence: %d\nPromoted-By: %s\n", d.ID, in.Commit, d.Sequence, changelog.Text(in.By))
	return b.String()
}

// Text is the draft for people, with what release.Check found of its steps.
func (d *Draft) Text(states []release.State) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", d.System, d.title())
	for _, c := range d.Changes {
		fmt.Fprintf(&b, "  change   %s\n", c)
	}
	for _, r := range d.Refusals {
		fmt.Fprintf(&b, "  refused  %s, %s (%s): %s\n           %s\n", r.Subject, r.Rule, r.Class, r.Why, r.Remedy)
	}
	for i, s := range states {
		fmt.Fprintf(&b, "  step %d   %-7s  %s\n", i+1, stateOf(s), s.What)
		if s.Problem != "" {
			fmt.Fprintf(&b, "           %s\n", s.Problem)
		}
	}
	return b.String()
}

func stateOf(s release.State) string {
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
	case d.Version == "":
		return "is not promoted to " + d.Environment
	case !d.Allowed():
		return fmt.Sprintf("%s is not promoted to %s", d.Version, d.Environment)
	case d.Nothing:
		return fmt.Sprintf("%s is in %s already (number %d)", d.Version, d.Environment, d.Sequence)
	case d.PreviousVersion == "":
		return fmt.Sprintf("%s to %s, the first time", d.Version, d.Environment)
	case d.Rollback:
		return fmt.Sprintf("%s back to %s from %s (number %d)", d.Version, d.Environment, d.PreviousVersion, d.Sequence)
	}
	return fmt.Sprintf("%s to %s after %s (number %d)", d.Version, d.Environment, d.PreviousVersion, d.Sequence)
}
