package cli

import (
	"context"
	"slices"
	"time"

	"github.com/Masterminds/semver/v3"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/policy"
	"gitlab.com/selfcontained/pipeline/release/version"
	"gitlab.com/selfcontained/pipeline/stages/container"
)

// readVerdicts asks which of the required stages have a verdict for what is
// here, and reads the bundle. One that was built with `run --version` counts as
// what it is.
func (facts *releaseFacts) readVerdicts(ctx context.Context, s *streams, f *releaseFlags, sess *session, svc *service) error {
	out := sess.checkout.Out(svc.Name + "/container")
	decisions, err := f.decideAsBuilt(ctx, s, sess, svc, out)
	if err != nil {
		return err
	}
	for _, d := range decisions {
		if d.Node.Service != svc.Name || !slices.Contains(svc.Release.Require, d.Node.Kind) {
			continue
		}
		facts.verdicts = append(facts.verdicts, stageVerdict(d, time.Now()))
	}
	if svc.Main == "" || !upToDateStage(decisions, svc, "container") {
		return nil
	}
	if upToDateStage(decisions, svc, "build") {
		facts.programs = sess.checkout.Out(svc.Name + "/build")
	}
	return facts.readBundle(out)
}

// decideAsBuilt decides for the version of the bundle that is here, if it is
// that of what is here, and else for the candidate.
func (f *releaseFlags) decideAsBuilt(ctx context.Context, s *streams, sess *session, svc *service, out string) ([]pipeline.Decision, error) {
	candidate := svc.version
	built, err := container.ReadBundle(out)
	if err == nil && built.Version != candidate && !isDevelopment(built.Version) {
		svc.version = built.Version
		decisions, err := f.decide(ctx, s, sess, svc)
		if err != nil || upToDateStage(decisions, svc, "container") {
			return decisions, err
		}
		svc.version = candidate
	}
	return f.decide(ctx, s, sess, svc)
}

func isDevelopment(text string) bool {
	v, err := semver.StrictNewVersion(text)
	return err != nil || version.Development(v)
}

// decide says of the service's required stages which are up to date.
func (f *releaseFlags) decide(ctx context.Context, s *streams, sess *session, svc *service) ([]pipeline.Decision, error) {
	e, err := sess.engine(s, &f.clusterFlags, f.runtime)
	if err != nil {
		return nil, err
	}
	var nodes []string
	for _, n := range e.Plan.Nodes() {
		if n.Service == svc.Name && (slices.Contains(svc.Release.Require, n.Kind) || n.Kind == "container") {
			nodes = append(nodes, n.Name)
		}
	}
	if e.Plan, err = e.Plan.Select(nodes...); err != nil {
		return nil, err
	}
	return e.Decide(ctx)
}

func upToDateStage(decisions []pipeline.Decision, svc *service, stage string) bool {
	return slices.ContainsFunc(decisions, func(d pipeline.Decision) bool {
		return d.Node.Service == svc.Name && d.Node.Kind == stage && d.UpToDate
	})
}

// stageVerdict is what is known of a stage. One without a verdict may be waived
// by the configuration.
func stageVerdict(d pipeline.Decision, now time.Time) release.StageVerdict {
	if d.UpToDate {
		return release.StageVerdict{Stage: d.Node.Kind, Status: d.Verdict.Status, Verdict: d.Verdict, Summary: d.Verdict.Summary}
	}
	v := release.StageVerdict{Stage: d.Node.Kind, Status: string(pipeline.Untested), Summary: d.Reason}
	if w := d.Node.Waive; w != nil && now.Before(w.Until) {
		v.Status, v.Waiver = string(pipeline.Waived), &policy.Waiver{Reason: w.Reason, Until: w.Until}
	}
	return v
}
