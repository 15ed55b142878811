package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/version"
	"gitlab.com/selfcontained/pipeline/stages"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// oldTestsRule is what the gate calls the tests of the release before.
const oldTestsRule = "old tests"

// mayBreak reports whether a version may break what the one before promised.
func mayBreak(last, next *semver.Version) bool {
	if last.Major() == 0 && next.Major() == 0 {
		return next.Minor() > last.Minor()
	}
	return next.Major() > last.Major()
}

// testWithOld runs the module and integration tests of the last release against
// the bundle, when its version promises that they pass. A red test proves a breaking change.
func (facts *releaseFacts) testWithOld(ctx context.Context, s *streams, f *releaseFlags, sess *session, svc *service, old oldSources) error {
	next, err := semver.StrictNewVersion(facts.candidate(svc))
	if err != nil || facts.bundle == nil || version.Development(next) || mayBreak(facts.version.Last, next) {
		return nil
	}
	levels, err := oldLevels(svc, old.dir)
	if err != nil || len(levels) == 0 {
		return err
	}
	facts.policy.Require = append(facts.policy.Require, oldTestsRule)
	v := release.StageVerdict{Stage: oldTestsRule, Status: string(pipeline.Untested), Summary: "other verdicts are missing", Remedy: "they run when all the others are there"}
	if !facts.fresh() {
		facts.verdicts = append(facts.verdicts, v)
		return nil
	}
	rec, err := facts.runOld(ctx, s, f, sess, svc, old, levels)
	if err != nil {
		return err
	}
	v.Status, v.Summary = string(rec.Status), facts.oldSummary(rec, levels)
	v.Remedy = fmt.Sprintf("make the tests of %s pass again, or release a version that may break what it promised", facts.lastTag())
	facts.verdicts = append(facts.verdicts, v)
	for _, r := range rec.Results {
		if r.Status == pipeline.Failed && slices.Contains(levels, r.Kind) {
			facts.version.Proof = append(facts.version.Proof, version.Change{
				Rule: "OLD_TESTS", Where: r.Node, Bump: version.Major,
				Text: fmt.Sprintf("the tests of %s fail against this bundle: %s", facts.lastTag(), r.Message),
			})
		}
	}
	return nil
}

// fresh reports whether all required stages have a verdict: only then is it
// worth to start the old tests.
func (facts *releaseFacts) fresh() bool {
	return !slices.ContainsFunc(facts.verdicts, func(v release.StageVerdict) bool { return v.Verdict == nil && v.Waiver == nil })
}

func (facts *releaseFacts) lastTag() string {
	return facts.version.Prefix + facts.version.Last.Original()
}

func (facts *releaseFacts) oldSummary(rec *pipeline.Record, levels []string) string {
	var parts []string
	for _, r := range rec.Results {
		if slices.Contains(levels, r.Kind) {
			text := r.Message
			if r.Status != pipeline.Passed {
				text = string(r.Status) + ": " + text
			}
			parts = append(parts, r.Kind+" of "+facts.lastTag()+": "+text)
		}
	}
	return strings.Join(parts, "; ")
}

// oldLevels are the required stages that the last release had tests for.
func oldLevels(svc *service, old string) ([]string, error) {
	var levels []string
	for _, level := range gotool.TestTags() {
		if !slices.Contains(svc.Release.Require, level) {
			continue
		}
		files, err := gotool.TestFiles(old, level)
		if err != nil {
			return nil, err
		}
		if len(files) > 0 {
			levels = append(levels, level)
		}
	}
	return levels, nil
}

// runOld runs the stages with the sources of then and the bundle of now. Their
// verdicts are remembered like others, by what they looked at.
func (facts *releaseFacts) runOld(ctx context.Context, s *streams, f *releaseFlags, sess *session, svc *service, old oldSources, levels []string) (*pipeline.Record, error) {
	e, err := sess.engine(s, &f.clusterFlags, f.runtime)
	if err != nil {
		return nil, err
	}
	provider, err := f.cluster(svc.Integration.Cluster).provider(sess.cache, s.err)
	if err != nil {
		return nil, err
	}
	then := *svc.Service
	then.Dir = old.dir
	var others []config.Service
	var nodes []pipeline.Node
	for _, o := range sess.services {
		others = append(others, *o.Service)
	}
	for _, n := range e.Plan.Nodes() {
		if n.Service != svc.Name {
			nodes = append(nodes, *n)
		}
	}
	for _, n := range stages.Nodes(stages.Options{
		Service: then, Version: facts.bundle.Version, Sources: source.Open(old.dir), Others: others, Cache: sess.cache,
		Runtime: f.runtime, Provider: provider, Kubernetes: f.cluster(svc.Integration.Cluster).kubernetes(), WaitCleanup: f.waitCleanup,
	}) {
		if n.Kind == "container" {
			n.Stage, n.Needs, n.After, n.Beside = stages.Given{Dir: facts.out, Digest: facts.bundle.Digest}, nil, nil, nil
		}
		nodes = append(nodes, n)
	}
	plan, err := pipeline.NewPlan(nodes)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, level := range levels {
		names = append(names, svc.Name+"/"+level)
	}
	if e.Plan, err = plan.Select(names...); err != nil {
		return nil, err
	}
	e.Checkout, e.Refresh = pipeline.OpenCheckout(old.root), nil
	fmt.Fprintf(s.err, "  %s %s: running the tests of %s against this bundle\n", svc.Name, facts.bundle.Version, facts.lastTag())
	return e.Run(ctx)
}
