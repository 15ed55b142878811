package release

import (
	"fmt"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/policy"
)

// StageVerdict is what a stage said of the bundle, as this machine knows it.
type StageVerdict struct {
	Stage  string // "unit"
	Status string // as pipeline.Status
	// Verdict is what the store has; nil for a stage that has none.
	Verdict *evidence.Verdict
	Waiver  *policy.Waiver // with status "waived"
	// Summary says in a line what was found, or why there is no verdict.
	Summary string
	Remedy  string // what to do where it opens no gate; empty is to run the stage
}

func (v StageVerdict) ended() time.Time {
	if v.Verdict == nil {
		return time.Time{}
	}
	return v.Verdict.Started.Add(v.Verdict.Duration)
}

// Verdicts are the stages' for the gate.
func Verdicts(bundle evidence.Digest, stages []StageVerdict) []policy.Verdict {
	var list []policy.Verdict
	for _, v := range stages {
		list = append(list, policy.Verdict{
			Stage: v.Stage, Subject: bundle, Status: v.Status, Summary: v.Summary, At: v.ended(), Waiver: v.Waiver, Remedy: v.Remedy,
		})
	}
	return list
}

// Statements signs what is attached to the bundle: the verdict of each stage
// that has one, and the release. They say nothing that differs from one run to
// the next: the release is issued at the time of the newest verdict that it
// rests on, so that repeating it, and two at once, make the same statements.
// digests are what else is released, by name: the chart's manifest as "chart",
// and files by their names.
func (d *Draft) Statements(signer *sign.Signer, about sign.Subject, stages []StageVerdict, p policy.Policy, digests map[string]evidence.Digest) ([][]byte, error) {
	var envelopes [][]byte
	var issued time.Time
	for _, v := range stages {
		if v.Verdict == nil {
			continue
		}
		if v.ended().After(issued) {
			issued = v.ended()
		}
		e, err := signer.Sign(about, d.verdict(v, p))
		if err != nil {
			return nil, fmt.Errorf("sign the verdict of %s: %w", v.Stage, err)
		}
		envelopes = append(envelopes, e)
	}
	release := sign.Release{
		Terms: terms(issued, p, ""), Version: d.Version, Commit: d.Commit, Tag: d.Tag, Unsigned: d.Unsigned, Notes: d.Changes,
		Digests: digests,
	}
	release.Overridden, release.Waived = d.Gate.Record()
	e, err := signer.Sign(about, release)
	if err != nil {
		return nil, fmt.Errorf("sign the release: %w", err)
	}
	return append(envelopes, e), nil
}

func (d *Draft) verdict(v StageVerdict, p policy.Policy) sign.Verdict {
	s := sign.Verdict{
		Terms: terms(v.ended(), p, v.Verdict.Run), Stage: d.Service + "/" + v.Stage, Status: v.Status,
		Inputs: v.Verdict.Key, Tools: v.Verdict.Tools, Started: v.Verdict.Started, Milliseconds: v.Verdict.Duration.Milliseconds(),
		Summary: v.Verdict.Summary, Version: d.Version, Commit: d.Commit,
	}
	if v.Waiver != nil {
		s.Waiver = &sign.Waiver{Reason: v.Waiver.Reason, Until: v.Waiver.Until}
	}
	return s
}

// terms number statements by the second in which they were issued.
func terms(issued time.Time, p policy.Policy, run string) sign.Terms {
	return sign.Terms{Policy: p.Digest(), Issued: issued, Sequence: issued.Unix(), Run: run}
}
