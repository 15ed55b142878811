package passport

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// suite asks for a passed verdict of the acceptance tests on the combination, by
// name of the system and with an end. The version that it names is that of the
// system; where nobody else says which it is, it says so.
func (x *exam) suite(c scs.Combination, facts []*fact) {
	stage := c.System + "/suite"
	var list []miss
	for _, v := range held[sign.Verdict](facts) {
		if v.Says.Stage != stage {
			continue
		}
		if m := x.suiteLacks(v.Says); m.class != "" {
			list = append(list, m)
			continue
		}
		x.Version = cmp.Or(x.Version, v.Says.Version)
		x.met(Finding{
			Subject: x.System, Rule: RuleSuite, Why: strings.TrimSuffix("passed: "+v.Says.Summary, ": "), Key: v.KeyID,
			At: v.Says.Issued, Until: v.Says.Expires, Statement: v.Digest,
		})
		return
	}
	list = append(list, misses(facts, func(c claim) bool {
		return c.Type == sign.VerdictType && path.Base(c.Stage) == "suite" && c.Status == "passed"
	})...)
	x.closed(x.System, RuleSuite, nearest(list, miss{Untested, "no verdict of the suite on this combination"}), "run `pipeline scs test`")
}

func (x *exam) suiteLacks(v sign.Verdict) miss {
	switch {
	case v.Status != "passed":
		return miss{Untested, strings.TrimSuffix(v.Status+": "+v.Summary, ": ")}
	case v.System == "":
		return miss{OtherSystem, "the verdict of the suite names no system"}
	case v.Expires.IsZero():
		return miss{Malformed, "the verdict of the suite does not say until when it holds"}
	case x.Version != "" && v.Version != x.Version:
		return miss{Inconsistent, fmt.Sprintf("the suite passed as version %s, and this is %s", v.Version, x.Version)}
	}
	return miss{}
}

// order asks for the promotion of the same combination to the environment that
// comes before.
func (x *exam) order(e *Environment, facts []*fact) {
	if e.After == "" {
		return
	}
	for _, p := range held[sign.Promotion](facts) {
		if p.Says.Environment == e.After {
			x.met(Finding{
				Subject: x.System, Rule: RuleOrder, Why: fmt.Sprintf("promoted to %s as number %d", e.After, p.Says.Sequence),
				By: p.Says.By, Key: p.KeyID, At: p.Says.Issued, Until: p.Says.Expires, Statement: p.Digest,
			})
			return
		}
	}
	list := misses(facts, func(c claim) bool {
		return c.Type == sign.PromotionType && (c.Environment == e.After || x.rules.environment(c.Environment) == nil)
	})
	x.closed(x.System, RuleOrder, nearest(list, miss{Order, fmt.Sprintf("this combination was not promoted to %s", e.After)}),
		fmt.Sprintf("run `pipeline scs promote --to %s`", e.After))
}

// consents counts the people who consent: distinct keys among the approvers. A
// name is only shown; whoever signs may write any.
func (x *exam) consents(e *Environment, facts []*fact) {
	people := map[string]bool{}
	var names []string
	for _, c := range held[sign.Consent](facts) {
		if c.Says.Environment != e.Name || people[c.KeyID] {
			continue
		}
		people[c.KeyID] = true
		names = append(names, c.Says.By)
		x.met(Finding{
			Subject: x.System, Rule: RuleConsent, Why: cmp.Or(c.Says.Note, "consents"), By: c.Says.By, Key: c.KeyID,
			At: c.Says.At, Until: c.Says.Expires, Statement: c.Digest,
		})
	}
	if len(people) >= e.Approve {
		return
	}
	list := misses(facts, func(c claim) bool {
		return c.Type == sign.ConsentType && (c.Environment == e.Name || x.rules.environment(c.Environment) == nil)
	})
	slices.Sort(names)
	why := fmt.Sprintf("%d of %d approvers of %s consent", len(people), e.Approve, e.Name)
	if len(names) > 0 {
		why += ": " + strings.Join(names, ", ")
	}
	m := nearest(list, miss{class: Consent})
	if m.why != "" {
		why += "; another consent: " + m.why
	}
	x.closed(x.System, RuleConsent, miss{m.class, why},
		fmt.Sprintf("an approver signs with `pipeline scs approve --to %s`", e.Name))
}
