package cli

import (
	"context"
	"fmt"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/passport"
	"gitlab.com/selfcontained/pipeline/release/scs/promote"
	"gitlab.com/selfcontained/pipeline/stages/system"
)

// publish copies a combination that has passed to the system's registry, with
// its evidence and the signed verdict. Whether it did so is returned; why not is
// said.
func (t *suite) publish(ctx context.Context, r *rules, c scs.Combination, version string, v *evidence.Verdict) (bool, error) {
	to, err := t.own()
	if err != nil {
		return false, err
	}
	switch {
	case to == nil:
		return false, nil
	case t.signer == nil:
		fmt.Fprintf(t.streams.err, "not published: no signing key (PIPELINE_SIGNING_KEY)\n")
		return false, nil
	}
	ev, err := t.evidence(ctx, to, c)
	if err != nil {
		return false, err
	}
	envelope, err := t.sign(ctx, c, version, v)
	if err != nil {
		return false, err
	}
	ev = promote.Join(ev, passport.Evidence{c.ID(): {envelope}})
	p := passport.Combination(c, ev, r.Rules, time.Now())
	if !p.Valid() {
		fmt.Fprintf(t.streams.err, "not published: %s %s: %s\n", p.Refusals[0].Subject, p.Refusals[0].Rule, printable(p.Refusals[0].Why))
		return false, nil
	}
	publication := &promote.Publication{Combination: c, To: to, Source: t.opener(), Evidence: p.Evidence}
	return true, release.Apply(ctx, publication.Steps(), func(release.Step, bool) {})
}

// evidence is what is said of a combination and its members, where they come
// from and in the system's own registry.
func (s *systemSession) evidence(ctx context.Context, own *repository.Repository, c scs.Combination) (passport.Evidence, error) {
	ev, unread, err := promote.ReadSources(ctx, s.opener(), c)
	if err != nil || own == nil {
		return ev, err
	}
	more, alsoUnread, err := promote.ReadEvidence(ctx, own, c)
	for _, u := range append(unread, alsoUnread...) {
		s.unread = append(s.unread, fmt.Sprintf("%s: %s: %s", u.Repository, u.Manifest.Short(), u.Why))
	}
	return promote.Join(ev, more), err
}

// opener opens the repositories that members come from.
func (s *systemSession) opener() promote.Opener {
	return func(m scs.Member) (*repository.Repository, error) { return openSource(s.cache, m.Source) }
}

// sign makes the statement of a suite's verdict.
func (t *suite) sign(ctx context.Context, c scs.Combination, version string, v *evidence.Verdict) ([]byte, error) {
	commit, err := t.commit(ctx)
	if err != nil {
		return nil, err
	}
	ended := v.Started.Add(v.Duration)
	return t.signer.Sign(sign.Subject{Name: t.Name, Digest: c.ID()}, sign.Verdict{
		Terms: sign.Terms{System: t.Name, Issued: ended, Expires: ended.Add(t.Valid), Sequence: ended.Unix(), Run: v.Run},
		Stage: t.Name + "/" + system.Kind, Status: v.Status, Inputs: v.Key, Tools: v.Tools, Started: v.Started,
		Milliseconds: v.Duration.Milliseconds(), Summary: v.Summary, Version: version, Commit: commit,
	})
}

// commit is that of the system's repository.
func (s *systemSession) commit(ctx context.Context) (string, error) {
	if s.repo == nil {
		return "none", nil
	}
	head, err := s.repo.Head(ctx, s.Dir)
	if err != nil || head.Commit == "" {
		return "none", err
	}
	return head.Commit, nil
}

// testedBefore returns what a trusted key has signed of a combination in the
// system's registry: that it passed, and still counts as tested.
func (s *systemSession) testedBefore(ctx context.Context, r *rules, c scs.Combination) (*sign.Verdict, error) {
	own, err := s.own()
	if err != nil || own == nil {
		return nil, err
	}
	if there, err := own.Head(ctx, string(c.ID())); err != nil || there == "" {
		return nil, err
	}
	attached, err := attach.List(ctx, own, c.ID())
	if err != nil {
		return nil, err
	}
	for _, a := range attached {
		statement, err := sign.Verify(a.Envelope, r.Trust, c.ID(), time.Now())
		if a.Err != nil || err != nil {
			continue
		}
		v, err := sign.As[sign.Verdict](statement)
		if err == nil && v.System == s.Name && v.Stage == s.Name+"/"+system.Kind && v.Status == "passed" && !v.Expires.IsZero() {
			return &v, nil
		}
	}
	return nil, nil
}
