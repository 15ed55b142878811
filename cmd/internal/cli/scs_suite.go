package cli

import (
	"context"
	"fmt"
	"path/filepath"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/bundle"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/release/registry"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/stages/system"
)

// suite tests combinations of a system in a cluster.
type suite struct {
	*systemSession
	streams    *streams
	provider   kindtest.Provider
	kubernetes string
	sources    *source.Folder
	charts     map[string]map[string]any // values by service
	// digests of what every combination is tested with
	tests, values evidence.Digest
	waitCleanup   bool
}

// newSuite reads the acceptance tests and the values. Nothing is started.
func (s *systemSession) newSuite(ctx context.Context, streams *streams, f *clusterFlags) (*suite, error) {
	choice := f.cluster(s.Cluster)
	provider, err := choice.provider(s.cache, streams.err)
	if err != nil {
		return nil, err
	}
	t := &suite{
		systemSession: s, streams: streams, provider: provider, kubernetes: choice.kubernetes(),
		sources: source.Open(filepath.Join(s.Dir, s.Suite)), waitCleanup: f.waitCleanup,
	}
	if t.tests, err = s.testsDigest(ctx, t.sources); err != nil {
		return nil, err
	}
	t.charts, t.values, err = s.readValues()
	return t, err
}

// with returns a combination as it is tested with what is here.
func (t *suite) with(c scs.Combination) scs.Combination {
	c.System, c.Suite, c.Values = t.Name, t.tests, t.values
	return c
}

// layouts is the folder of the bundles that were fetched.
func (s *systemSession) layouts() string { return filepath.Join(s.cache, "bundles") }

// fetch brings a member's bundle to this machine and returns the folder of its
// layout.
func (s *systemSession) fetch(ctx context.Context, m scs.Member) (string, error) {
	from, err := openRepositoryAt(m.Source)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(s.layouts(), m.Bundle.Hex())
	if err := bundle.Fetch(ctx, from, m.Bundle, dir); err != nil {
		return "", fmt.Errorf("fetch %s %s from %s: %w", m.Service, m.Version, m.Source, err)
	}
	return dir, nil
}

// member fetches what the stage needs of a member.
func (t *suite) member(ctx context.Context, m scs.Member) (system.Member, error) {
	dir, err := t.fetch(ctx, m)
	if err != nil {
		return system.Member{}, err
	}
	chart, err := chartIn(ctx, dir, m)
	return system.Member{
		Name: m.Service, Version: m.Version, Bundle: m.Bundle, Layout: dir, Chart: chart, Values: t.charts[m.Service],
	}, err
}

// chartIn reads the chart of a bundle from its layout.
func chartIn(ctx context.Context, layout string, m scs.Member) ([]byte, error) {
	l, err := registry.OpenLayout(layout)
	if err != nil {
		return nil, err
	}
	b, err := bundle.Read(ctx, l, m.Bundle)
	if err != nil {
		return nil, err
	}
	chart, err := b.ChartArchive(ctx, l)
	if err == nil && len(chart) == 0 {
		err = fmt.Errorf("the bundle of %s %s has no chart; a service of a system needs one", m.Service, m.Version)
	}
	return chart, err
}

// node is the test of a combination.
func (t *suite) node(ctx context.Context, c scs.Combination) (pipeline.Node, error) {
	o := system.Options{
		System: t.Name, ID: c.ID(), Dir: t.sources.Dir, Suite: t.tests, Sources: t.sources,
		Cache: filepath.Join(t.cache, "suites", evidence.Sum([]byte(t.sources.Dir)).Hex()[:16]),
		Ready: t.Ready, Timeout: t.Timeout, Provider: t.provider, Kubernetes: t.kubernetes, WaitCleanup: t.waitCleanup,
	}
	for _, m := range c.Members {
		member, err := t.member(ctx, m)
		if err != nil {
			return pipeline.Node{}, err
		}
		o.Members = append(o.Members, member)
	}
	return system.Node(o), nil
}

// run tests a combination, unless it has a verdict already. A combination is
// tested in a checkout that nobody else uses just then.
func (t *suite) run(ctx context.Context, c scs.Combination, at *pipeline.Checkout, observer pipeline.Observer, force bool) (*pipeline.Record, error) {
	node, err := t.node(ctx, c)
	if err != nil {
		return nil, err
	}
	plan, err := pipeline.NewPlan([]pipeline.Node{node})
	if err != nil {
		return nil, err
	}
	e := &pipeline.Engine{
		Plan: plan, Checkout: at, Store: t.store, Locks: filepath.Join(t.cache, "locks"), Masker: t.streams.masker,
		Version: releasedVersion(), Observer: observer, Refresh: t.sources.Refresh,
	}
	if force {
		e.Forced = []string{node.Name}
	}
	return e.Run(ctx)
}

// asSession is the system as the commands for services know it: for reports, and
// for what dead runs left.
func (s *systemSession) asSession(version string) *session {
	svc := &service{Service: &config.Service{Name: s.Name, Dir: s.Dir}, version: version}
	svc.Integration.Cluster = s.Cluster
	return &session{root: s.Dir, cache: s.cache, checkout: pipeline.OpenCheckout(s.Dir), store: s.store, services: []*service{svc}, asked: []string{s.Name}}
}
