package policy

import (
	"path"
	"slices"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
)

// Add adds what a verified statement says. A release says nothing that a gate
// asks for. The caller has verified it for e.Subject; one that is about another
// subject is added all the same and does not count.
//
// The order of the statements does not matter, and neither do sequence numbers:
// no statement takes back what another one says. A statement names a stage with
// its service ("stock/unit"), a policy without.
func (e *Evidence) Add(s *sign.Statement) {
	switch p := s.Predicate.(type) {
	case sign.Verdict:
		v := Verdict{Stage: path.Base(p.Stage), Subject: s.Subject.Digest, Status: p.Status, Summary: p.Summary, At: p.Started}
		if p.Waiver != nil {
			v.Waiver = &Waiver{Reason: p.Waiver.Reason, Until: p.Waiver.Until}
		}
		e.Verdicts = append(e.Verdicts, v)
	case sign.Manual:
		c := Checklist{Subject: s.Subject.Digest, By: p.By, At: p.At}
		for _, i := range p.Items {
			c.Items = append(c.Items, Item{i.Name, i.Result})
		}
		e.Manual = append(e.Manual, c)
	case sign.Review:
		r := Review{
			MergeRequest: p.MergeRequest, Commit: p.Commit, Author: p.Author,
			Committers: slices.Clone(p.Committers), LastPush: p.LastPush,
		}
		for _, a := range p.Approvals {
			r.Approvals = append(r.Approvals, Approval{a.By, a.At})
		}
		e.Reviews = append(e.Reviews, r)
	case sign.Override:
		e.Overrides = append(e.Overrides, Override{
			Subject: s.Subject.Digest, Rule: p.Rule, Reason: p.Reason, By: p.By, At: p.At, Until: p.Until,
		})
	}
}

// Record returns the exceptions of a decision as the release statement carries
// them.
func (d Decision) Record() (overridden, waived []sign.Exception) {
	for _, f := range d.Exceptions() {
		x := sign.Exception{Rule: f.Rule, Reason: f.Exception.Reason, By: f.Exception.By, Until: f.Exception.Until.UTC().Truncate(time.Second)}
		if f.Status == Overridden {
			overridden = append(overridden, x)
		} else {
			waived = append(waived, x)
		}
	}
	return overridden, waived
}
