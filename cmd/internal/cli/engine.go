package cli

import (
	"context"
	"path/filepath"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/stages"
)

// engine wires the services of the session to the engine.
func (sess *session) engine(s *streams, f *clusterFlags, runtime string) (*pipeline.Engine, error) {
	var others []config.Service
	for _, svc := range sess.services {
		others = append(others, *svc.Service)
	}
	var nodes []pipeline.Node
	for _, svc := range sess.services {
		cluster := f.cluster(svc.Service.Integration.Cluster)
		provider, err := cluster.provider(sess.cache, s.err)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, stages.Nodes(stages.Options{
			Service: *svc.Service, Version: svc.version, Sources: svc.sources, Others: others,
			Cache: sess.cache, Runtime: runtime,
			Provider: provider, Kubernetes: cluster.kubernetes(), WaitCleanup: f.waitCleanup,
		})...)
	}
	plan, err := pipeline.NewPlan(nodes)
	if err != nil {
		return nil, err
	}
	return &pipeline.Engine{
		Plan: plan, Checkout: sess.checkout, Store: sess.store,
		Locks: filepath.Join(sess.cache, "locks"), Masker: s.masker, Refresh: sess.refresh,
		Version: releasedVersion(),
	}, nil
}

// refresh reads the sources of all services again.
func (sess *session) refresh(ctx context.Context) error {
	for _, svc := range sess.services {
		if err := svc.sources.Refresh(ctx); err != nil {
			return err
		}
	}
	return nil
}
