package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Status is what became of a rule.
type Status string

// The statuses of a finding; only NotMet closes the gate.
const (
	Met        Status = "met"
	NotMet     Status = "not met"
	Overridden Status = "overridden"
	Waived     Status = "waived"
)

// Finding is what the evidence says of one rule.
type Finding struct {
	Rule   string `json:"rule"`
	Status Status `json:"status"`
	Why    string `json:"why"`
	// Remedy says what to do where the rule is not met.
	Remedy string `json:"remedy,omitempty"`
	// Exception is there when the rule was overridden or waived.
	Exception *Exception `json:"exception,omitempty"`
}

// Exception is on whose word a rule passed that did not hold.
type Exception struct {
	Reason string    `json:"reason"`
	By     string    `json:"by,omitempty"`
	Until  time.Time `json:"until"`
}

// Decision is the answer of a gate.
type Decision struct {
	Allowed bool `json:"allowed"`
	// Findings are one for each rule: the stages in the order of the policy,
	// then the others in the order of the constants.
	Findings []Finding `json:"findings"`
}

// Judge decides. Equal arguments give an equal answer; the order of the
// evidence does not matter.
func Judge(p Policy, e Evidence, now time.Time) Decision {
	d := Decision{Allowed: true}
	add := func(asked bool, f Finding) {
		if !asked {
			return
		}
		if f.Status == NotMet {
			f = override(p, e, now, f)
		}
		d.Findings = append(d.Findings, f)
		d.Allowed = d.Allowed && f.Status != NotMet
	}
	for i, stage := range p.Require {
		add(!slices.Contains(p.Require[:i], stage), judgeStage(e, stage, now))
	}
	add(p.Approvals > 0, judgeApprovals(p, e, now))
	add(p.Manual || len(p.Checklist) > 0, judgeManual(p, e, now))
	add(p.CleanTree, judgeCleanTree(e))
	add(p.Branch != "", judgeBranch(p, e))
	add(p.Signed, judgeSigned(e))
	return d
}

// override turns a finding that is not met into an overridden one, if there is
// an override for it on this bundle that has begun and not ended. Of several
// the one that ends last counts.
func override(p Policy, e Evidence, now time.Time, f Finding) Finding {
	if !p.mayOverride(f.Rule) {
		return f
	}
	var best *Override
	for _, o := range e.Overrides {
		if o.Rule != f.Rule || !e.about(o.Subject) || o.At.After(now) || !now.Before(o.Until) {
			continue
		}
		if blank(o.Reason) || blank(o.By) {
			continue
		}
		if best == nil || laterOverride(o, *best) {
			best = &o
		}
	}
	if best == nil {
		return f
	}
	f.Status, f.Remedy = Overridden, ""
	f.Exception = &Exception{Reason: best.Reason, By: best.By, Until: best.Until}
	return f
}

func laterOverride(a, b Override) bool {
	if !a.Until.Equal(b.Until) {
		return a.Until.After(b.Until)
	}
	return a.By+"\x00"+a.Reason < b.By+"\x00"+b.Reason
}

func blank(text string) bool { return strings.TrimSpace(text) == "" }

// String prints the decision for people, one line for each rule.
func (d Decision) String() string {
	var b strings.Builder
	if d.Allowed {
		b.WriteString("allowed\n")
	} else {
		b.WriteString("refused\n")
	}
	width := 0
	for _, f := range d.Findings {
		width = max(width, len(f.Rule))
	}
	for _, f := range d.Findings {
		fmt.Fprintf(&b, "  %-10s  %-*s  %s\n", f.Status, width, f.Rule, f.Why)
		if f.Exception != nil {
			fmt.Fprintf(&b, "  %10s  %*s  %s\n", "", width, "", f.Exception)
		}
		if f.Remedy != "" {
			fmt.Fprintf(&b, "  %10s  %*s  -> %s\n", "", width, "", f.Remedy)
		}
	}
	return b.String()
}

// String says it in words.
func (e *Exception) String() string {
	by := ""
	if e.By != "" {
		by = " by " + e.By
	}
	return fmt.Sprintf("%s (until %s%s)", e.Reason, e.Until.UTC().Format(time.DateOnly), by)
}

// Exceptions returns the findings that passed on somebody's word: what a
// release shows for ever.
func (d Decision) Exceptions() []Finding {
	return slices.DeleteFunc(slices.Clone(d.Findings), func(f Finding) bool { return f.Exception == nil })
}
