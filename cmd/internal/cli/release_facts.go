package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/pipeline/gitrepo"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/changelog"
	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/policy"
	"gitlab.com/selfcontained/pipeline/release/registry"
	"gitlab.com/selfcontained/pipeline/release/version"
	"gitlab.com/selfcontained/pipeline/stages/container"
)

// releaseFacts is what is known of a service that is to be released.
type releaseFacts struct {
	commit   string
	version  version.Input
	commits  []changelog.Commit
	verdicts []release.StageVerdict
	bundle   *container.Bundle // nil when there is none
	layout   *registry.Layout
	out      string // folder of the container stage's outputs
	programs string // folder of the build stage's, when they are what the verdict says
	policy   policy.Policy
	evidence policy.Evidence
	about    sign.Subject
}

// facts reads all that the decision rests on.
func (f *releaseFlags) facts(ctx context.Context, s *streams, sess *session, svc *service, t *releaseTarget) (*releaseFacts, error) {
	facts := &releaseFacts{}
	if err := facts.readVerdicts(ctx, s, f, sess, svc); err != nil {
		return nil, err
	}
	if err := facts.readHistory(ctx, f, svc, t); err != nil {
		return nil, err
	}
	facts.policy = f.policy(svc, t)
	if err := f.prove(ctx, s, sess, svc, t, facts); err != nil {
		return nil, err
	}
	return facts, facts.readPeople(ctx, svc, t)
}

// candidate is the version that the bundle carries, or would.
func (facts *releaseFacts) candidate(svc *service) string {
	if facts.bundle != nil {
		return facts.bundle.Version
	}
	return svc.version
}

// policy is what the configuration asks for.
func (f *releaseFlags) policy(svc *service, t *releaseTarget) policy.Policy {
	p := policy.Release(svc.Release.Branch, svc.Release.Require)
	p.Approvals, p.Checklist, p.Manual = svc.Release.Approvals, svc.Release.Checklist, len(svc.Release.Checklist) > 0
	if svc.Main == "" || f.unsigned && t.signer == nil {
		p.Signed = false
	}
	return p
}

func (facts *releaseFacts) readBundle(out string) (err error) {
	facts.out = out
	if facts.bundle, err = container.ReadBundle(out); err != nil {
		return err
	}
	facts.layout, err = registry.OpenLayout(filepath.Join(out, "oci"))
	return err
}

// readHistory reads what git knows. A version that has its tag already is
// looked at as it was before: finishing a release is making the same one.
func (facts *releaseFacts) readHistory(ctx context.Context, f *releaseFlags, svc *service, t *releaseTarget) error {
	head, err := t.repo.Head(ctx, svc.Dir)
	if err != nil {
		return fmt.Errorf("read the git repository: %w", err)
	}
	if head.Commit == "" {
		return &usageError{errors.New("there is no commit yet: a release is a tag on one; commit first")}
	}
	prefix := svc.Release.TagPrefix
	tag := prefix + facts.candidate(svc)
	facts.commit = head.Commit
	if there, err := t.repo.TagAt(ctx, tag); err == nil {
		facts.commit = there.Commit
	} else if !errors.Is(err, gitrepo.ErrNoTag) {
		return err
	}
	in := &facts.version
	in.Prefix, in.Stable, in.Pre = prefix, f.stable, f.pre
	if in.Tags, err = t.repo.Tags(ctx, facts.commit, prefix); err != nil {
		return err
	}
	in.Tags = slices.DeleteFunc(in.Tags, func(name string) bool { return name == tag })
	from := ""
	if in.Last = version.Last(in.Tags, prefix); in.Last != nil {
		from = prefix + in.Last.Original()
	}
	commits, err := t.repo.Log(ctx, from, facts.commit, svc.Dir)
	if err != nil {
		return err
	}
	for _, c := range commits {
		in.Commits = append(in.Commits, version.Commit{Hash: c.Hash, Subject: c.Subject, Body: c.Body})
		facts.commits = append(facts.commits, changelogCommit(c))
	}
	facts.evidence.Commit, facts.evidence.Clean = facts.commit, !head.Dirty
	return facts.readBranch(ctx, head, svc, t)
}

// readBranch finds out whether the release branch has the commit.
func (facts *releaseFacts) readBranch(ctx context.Context, head gitrepo.Head, svc *service, t *releaseTarget) error {
	branch := branchOf(head)
	if branch != svc.Release.Branch {
		return nil
	}
	if head.Branch == "" { // a job says so; the server knows
		var not *gitrepo.NotOnBranchError
		if err := t.repo.OnBranch(ctx, originRemote, branch, facts.commit); errors.As(err, &not) {
			return nil
		} else if err != nil {
			return err
		}
	}
	facts.evidence.Branches = []string{branch}
	return nil
}

func changelogCommit(c gitrepo.Commit) changelog.Commit {
	m := version.Parse(version.Commit{Subject: c.Subject, Body: c.Body})
	out := changelog.Commit{Hash: c.Hash, Parents: c.Parents, Type: m.Type, Scope: m.Scope, Subject: m.Description, Body: c.Body}
	out.Trailer, _ = m.Footer("Changelog")
	if m.Breaking {
		out.Breaking = []string{m.BreakingText()}
	}
	return out
}

// readPeople reads the review, and what people signed about the bundle.
func (facts *releaseFacts) readPeople(ctx context.Context, svc *service, t *releaseTarget) error {
	e := &facts.evidence
	e.Subject, e.Signed = facts.subject(), t.signer != nil
	e.Verdicts = release.Verdicts(e.Subject, facts.verdicts)
	if facts.policy.Approvals > 0 && t.forge != nil {
		r, err := t.forge.Review(ctx, facts.commit)
		if err != nil {
			return err
		}
		for _, q := range r.Requests {
			e.Reviews = append(e.Reviews, reviewOf(r.Commit, q))
		}
	}
	if facts.bundle == nil || t.bundle == nil {
		return nil
	}
	facts.about = sign.Subject{Name: svc.Name, Digest: e.Subject}
	trust, err := trustOf(svc, t.signer)
	if err != nil {
		return err
	}
	attached, err := attach.List(ctx, t.bundle, e.Subject)
	if err != nil {
		return err
	}
	for _, a := range attached {
		// What is not believed does not count; it harms nobody.
		if s, err := sign.Verify(a.Envelope, trust, e.Subject, time.Now()); a.Err == nil && err == nil {
			facts.add(s)
		}
	}
	return nil
}

// add counts what people said. The verdicts of stages are read here anew.
func (facts *releaseFacts) add(s *sign.Statement) {
	switch s.Predicate.Type() {
	case sign.ManualType, sign.OverrideType:
		facts.evidence.Add(s)
	}
}

// subject is what the verdicts are about: the bundle; of a library, its commit.
func (facts *releaseFacts) subject() evidence.Digest {
	if facts.bundle != nil {
		return facts.bundle.Digest
	}
	return evidence.Sum([]byte("commit " + facts.commit))
}

func reviewOf(commit string, q gitlab.Request) policy.Review {
	r := policy.Review{MergeRequest: fmt.Sprintf("!%d", q.Number), Commit: commit, Author: q.Author, LastPush: q.LastPush, Left: q.Left}
	for _, a := range q.Approvers {
		if a.Freshness == gitlab.Stale {
			continue
		}
		r.Approvals = append(r.Approvals, policy.Approval{By: a.User, At: a.At})
		if a.Committer {
			r.Committers = append(r.Committers, a.User)
		}
	}
	return r
}

// trustOf reads the keys that the service trusts, and adds the one that signs.
func trustOf(svc *service, signer *sign.Signer) (sign.Trust, error) {
	var trust sign.Trust
	for _, file := range svc.Trust {
		key, err := sign.ReadPublic(filepath.Join(svc.Dir, file))
		if err != nil {
			return trust, &usageError{fmt.Errorf("trust %s: %w", file, err)}
		}
		trust.Keys = append(trust.Keys, key)
	}
	if signer != nil {
		trust.Keys = append(trust.Keys, signer.Public())
	}
	return trust, nil
}

// input is what release.Decide gets.
func (facts *releaseFacts) input(f *releaseFlags, svc *service, t *releaseTarget, now time.Time) release.Input {
	in := release.Input{
		Service: svc.Name, Candidate: facts.candidate(svc), Commit: facts.commit, Version: facts.version,
		Commits: facts.commits, Forge: t.links, Policy: facts.policy, Evidence: facts.evidence,
		Unsigned: f.unsigned && t.signer == nil && svc.Main != "", Now: now,
	}
	if facts.bundle != nil {
		in.Bundle = facts.bundle.Digest
	}
	if svc.Main == "" {
		in.Module = svc.Module
	}
	if svc.Release.Programs {
		in.Artefacts.Programs = svc.Platforms
	}
	if t.bundle != nil && !t.local { // nobody else reaches that one
		in.Artefacts.Repository = t.bundle.String()
		if t.chart != nil {
			in.Artefacts.Chart = t.chart.String()
		}
	}
	return in
}

// releasePlan is a plan with files that are needed as long as it is.
type releasePlan struct {
	release.Plan
	temp string // folder of the archives; empty for none
}

func (p *releasePlan) close() {
	if p.temp != "" {
		os.RemoveAll(p.temp)
	}
}

// plan puts together what is released, and where. It is to be closed.
func (facts *releaseFacts) plan(ctx context.Context, f *releaseFlags, d *release.Draft, svc *service, t *releaseTarget) (*releasePlan, error) {
	p := &releasePlan{Plan: release.Plan{Draft: d, Forge: t.forge, Tagger: t.tagger, Folder: f.out}}
	if t.tagger == nil {
		p.Here = &release.GitTag{Repo: t.repo}
	}
	if facts.bundle == nil {
		p.Folder = ""
		return p, nil
	}
	p.Registry, p.Layout = t.bundle, facts.layout
	digests := map[string]evidence.Digest{}
	if facts.bundle.Chart != "" {
		p.ChartRegistry, p.Chart = t.chart, facts.bundle.Chart
		digests["chart"] = p.Chart
	}
	if err := facts.fill(ctx, p, svc, t, digests); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// fill adds the files of the release, and the statements that name them.
func (facts *releaseFacts) fill(ctx context.Context, p *releasePlan, svc *service, t *releaseTarget, digests map[string]evidence.Digest) error {
	list, err := facts.assets(p.Draft, svc)
	if err != nil {
		return err
	}
	programs, err := facts.programAssets(ctx, p, svc, t)
	if err != nil {
		return err
	}
	list = append(list, programs...)
	for _, a := range list {
		digests[a.Name] = evidence.Digest("sha256:" + a.SHA256)
	}
	if t.signer != nil {
		if p.Statements, err = p.Draft.Statements(t.signer, facts.about, facts.verdicts, facts.policy, digests); err != nil {
			return err
		}
		list = append(list, statementsAsset(p.Draft, svc, p.Statements))
	}
	p.Assets = append(list, checksums(svc.Name, p.Draft.Version, list))
	return nil
}
