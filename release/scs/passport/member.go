package passport

import (
	"fmt"
	"path"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/policy"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

// member judges a member by what is known of its bundle: its release in exactly
// this version, and its stages.
func (x *exam) member(m scs.Member, facts []*fact) {
	facts = ofService(m.Service, facts)
	x.release(m, facts)
	x.stages(m, facts)
	x.account(nameOf(m), facts)
}

func nameOf(m scs.Member) string { return m.Service + " " + m.Version }

// ofService takes verdicts of another service's stages for what they are:
// statements about something else, though somebody filed and signed them so.
func ofService(service string, facts []*fact) []*fact {
	list := make([]*fact, len(facts))
	for i, f := range facts {
		list[i] = f
		if f.statement == nil {
			continue
		}
		v, ok := f.statement.Predicate.(sign.Verdict)
		if ok && path.Dir(v.Stage) != service {
			list[i] = &fact{
				envelope: f.envelope, about: f.about, class: OtherSubject, claim: claimOf(f.envelope),
				why: fmt.Sprintf("it is the verdict of %q, which is no stage of service %s", v.Stage, service),
			}
		}
	}
	return list
}

func (x *exam) release(m scs.Member, facts []*fact) {
	var list []miss
	found := false
	for _, r := range held[sign.Release](facts) {
		switch {
		case r.Says.Version != m.Version:
			list = append(list, miss{Inconsistent, "the bundle was released as " + r.Says.Version})
			continue
		case r.Says.Unsigned:
			list = append(list, miss{Untrusted, "it was released without signed evidence (--unsigned)"})
			continue
		case !found:
			x.met(Finding{
				Subject: nameOf(m), Rule: RuleRelease, Why: "released as " + r.Says.Tag, Key: r.KeyID,
				At: r.Says.Issued, Until: r.Says.Expires, Statement: r.Digest,
			})
		}
		found = true
		x.releasedWith(m, r.Says)
	}
	if !found {
		list = append(list, misses(facts, func(c claim) bool { return c.Type == sign.ReleaseType })...)
		x.closed(nameOf(m), RuleRelease, nearest(list, miss{Untested, "no release statement for this bundle"}),
			"release the service with `pipeline release`, then run `pipeline scs update`")
	}
}

// releasedWith shows what the release let pass.
func (x *exam) releasedWith(m scs.Member, r sign.Release) {
	for _, e := range r.Overridden {
		x.except(exceptionOf(m, Overridden, e))
	}
	for _, e := range r.Waived {
		x.except(exceptionOf(m, Waived, e))
	}
}

func exceptionOf(m scs.Member, status string, e sign.Exception) Exception {
	return Exception{Subject: nameOf(m), Rule: e.Rule, Status: status, Release: true, Reason: e.Reason, By: e.By, Until: e.Until}
}

// stages asks release/policy, and looks for the statement that decided.
func (x *exam) stages(m scs.Member, facts []*fact) {
	e := policy.Evidence{Subject: m.Bundle}
	for _, f := range facts {
		if f.statement != nil {
			e.Add(f.statement)
		}
	}
	d := policy.Judge(stagesOnly(x.rules.Require...), e, x.now)
	for _, f := range d.Findings {
		if f.Status == policy.NotMet {
			x.stageMissing(m, f, facts)
			continue
		}
		x.stageMet(m, f, facts)
	}
}

// stagesOnly is the policy of a member. A stage may be overridden for the
// system as it may be for a release: by a key that the system trusts, until a
// date, and shown.
func stagesOnly(stages ...string) policy.Policy {
	return policy.Policy{Require: stages, Override: []string{"stage *"}}
}

func (x *exam) stageMet(m scs.Member, f policy.Finding, facts []*fact) {
	found := Finding{Subject: nameOf(m), Rule: f.Rule, Status: string(f.Status), Why: f.Why}
	if s := x.decisive(m, f, facts); s != nil {
		t := s.Predicate.In()
		found.Key, found.At, found.Until, found.Statement = s.KeyID, t.Issued, t.Expires, s.Digest
	}
	if f.Exception != nil {
		found.By, found.Until = f.Exception.By, earlier(found.Until, f.Exception.Until)
		x.except(Exception{
			Subject: nameOf(m), Rule: f.Rule, Status: string(f.Status),
			Reason: f.Exception.Reason, By: f.Exception.By, Until: f.Exception.Until,
		})
	}
	x.met(found)
}

// decisive returns the statement that by itself opens the gate in the same way
// and holds longest. Nil when it takes several, as a failed verdict and its
// override.
func (x *exam) decisive(m scs.Member, f policy.Finding, facts []*fact) *sign.Statement {
	var best *sign.Statement
	stage := strings.TrimPrefix(f.Rule, policy.StageRule(""))
	for _, fact := range facts {
		if fact.statement == nil {
			continue
		}
		e := policy.Evidence{Subject: m.Bundle}
		e.Add(fact.statement)
		alone := policy.Judge(stagesOnly(stage), e, x.now).Findings[0]
		same := alone.Status == f.Status && strings.HasPrefix(f.Why, alone.Why) || f.Status == policy.Overridden && alone.Status == f.Status
		if same && (best == nil || longer(fact.statement, best) < 0) {
			best = fact.statement
		}
	}
	return best
}

func (x *exam) stageMissing(m scs.Member, f policy.Finding, facts []*fact) {
	stage := strings.TrimPrefix(f.Rule, policy.StageRule(""))
	list := misses(facts, func(c claim) bool {
		opens := c.Status == "passed" || c.Status == "not applicable" || c.Status == "waived"
		return c.Type == sign.VerdictType && path.Base(c.Stage) == stage && opens || c.Type == sign.OverrideType && c.Rule == f.Rule
	})
	for _, v := range held[sign.Verdict](facts) {
		switch {
		case path.Base(v.Says.Stage) != stage:
		case v.Says.Waiver != nil:
			list = append(list, miss{Expired, "the waiver ended on " + date(v.Says.Waiver.Until)})
		default:
			list = append(list, miss{Untested, f.Why})
		}
	}
	for _, o := range held[sign.Override](facts) {
		if o.Says.Rule == f.Rule {
			list = append(list, miss{Expired, "the override ended on " + date(o.Says.Until)})
		}
	}
	x.closed(nameOf(m), f.Rule, nearest(list, miss{Untested, f.Why}),
		fmt.Sprintf("release a version of %s whose %s stage has a signed verdict, then run `pipeline scs update`", m.Service, stage))
}
