package integration

import (
	"context"
	"fmt"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/container"
	"gitlab.com/selfcontained/pipeline/stages/gotest"
	"gitlab.com/selfcontained/pipeline/stages/internal/installation"
)

// Tag is the build tag of integration tests.
const Tag = "integration"

// tlsSecret is the name of the Secret with the lease's key pair.
const tlsSecret = "pipeline-tls"

// Options say what is tested and where.
type Options struct {
	Service  config.Service
	Siblings []config.Service // those that integration.with names, in any order
	Sources  *source.Folder
	Provider kindtest.Provider
	// Kubernetes is the version that the provider will give ("v1.36.3"), as far
	// as that can be told without asking; empty when it cannot.
	Kubernetes string
	// WaitCleanup waits at the end until the namespace is gone.
	WaitCleanup bool
}

// Stage implements pipeline.Stage.
type Stage struct {
	o     Options
	space installation.Space // of the run that is going on
}

// New returns the stage.
func New(o Options) *Stage { return &Stage{o: o} }

// Preflight implements pipeline.Preflighter: it asks for a cluster, or for an
// engine that could make one.
func (s *Stage) Preflight(ctx context.Context) error {
	return installation.StageError(s.o.Provider.Check(ctx))
}

// Run implements pipeline.Stage.
func (s *Stage) Run(ctx context.Context, job *pipeline.Job) error {
	if s.o.Service.Chart == "" && s.o.Service.Manifests == "" {
		return &pipeline.NotTested{
			Why:    "nothing says how the service is deployed",
			Remedy: "add a Helm chart at deploy/chart or chart, or manifests at deploy/k8s; what is installed nowhere has chart: \"\" and manifests: \"\" in pipeline.yaml",
		}
	}
	bundle, err := readBundle(job, "container")
	if err != nil {
		return err
	}
	binaries := gotest.CompileAside(ctx, job, s.o.Service.Dir, Tag) // while the pods start
	defer binaries()
	return installation.StageError(s.inCluster(ctx, job, bundle, binaries))
}

// inCluster does the work that needs the cluster.
func (s *Stage) inCluster(ctx context.Context, job *pipeline.Job, bundle *container.Bundle, binaries func() *gotest.Binaries) (err error) {
	job.Say("waiting for the cluster")
	done := job.Phase("cluster")
	cluster, err := s.o.Provider.Ensure(ctx)
	if err != nil {
		return err
	}
	done()
	fmt.Fprintf(job.Log, "cluster %s %s\n", cluster.Name, cluster.Version)
	swept := installation.Sweep(ctx, cluster, job.Log)
	defer func() {
		if sweepErr := <-swept; err == nil {
			err = sweepErr
		}
	}()
	d := &deployment{stage: s, job: job, cluster: cluster, bundle: bundle}
	if err := d.load(ctx); err != nil {
		return err
	}
	defer d.settle()
	done = job.Phase("namespace")
	if d.lease, err = s.space.Take(ctx, cluster, s.o.Service.Name, job.Run); err != nil {
		return err
	}
	done()
	defer func() { installation.Collect(ctx, job, d.lease, err) }()
	if err := d.install(ctx); err != nil {
		return err
	}
	if err := d.ready(ctx, "ready"); err != nil {
		return d.otherImages(ctx, err)
	}
	if err := d.checkImage(ctx); err != nil {
		return err
	}
	if err := d.data(ctx); err != nil {
		return err
	}
	return d.test(ctx, binaries)
}

// Clean implements pipeline.Cleaner: the namespace is given back. Its deletion
// is issued and seen; that all of it is gone is waited for only on request.
func (s *Stage) Clean(ctx context.Context, _ *pipeline.Job) error {
	return s.space.Clean(ctx, s.o.WaitCleanup)
}
