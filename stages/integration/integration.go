package integration

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/container"
	"gitlab.com/selfcontained/pipeline/stages/gotest"
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
	o Options

	mu    sync.Mutex
	lease *kindtest.Lease // of the run that is going on, or nil
}

// New returns the stage.
func New(o Options) *Stage { return &Stage{o: o} }

// Preflight implements pipeline.Preflighter: it asks for a cluster, or for an
// engine that could make one.
func (s *Stage) Preflight(ctx context.Context) error { return stageError(s.o.Provider.Check(ctx)) }

// Run implements pipeline.Stage.
func (s *Stage) Run(ctx context.Context, job *pipeline.Job) error {
	if s.o.Service.Chart == "" && s.o.Service.Manifests == "" {
		return &pipeline.NotTested{
			Why:    "nothing says how the service is deployed",
			Remedy: "add a Helm chart at deploy/chart or chart, or manifests at deploy/k8s",
		}
	}
	bundle, err := readBundle(job, "container")
	if err != nil {
		return err
	}
	binaries := gotest.CompileAside(ctx, job, s.o.Service.Dir, Tag) // while the pods start
	defer binaries()
	return stageError(s.inCluster(ctx, job, bundle, binaries))
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
	swept := s.sweep(ctx, cluster, job)
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
	if d.lease, err = s.take(ctx, cluster, job); err != nil {
		return err
	}
	done()
	defer func() { s.collect(ctx, job, d.lease, err) }()
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

// sweep deletes what dead runs left, beside everything else.
func (s *Stage) sweep(ctx context.Context, cluster *kindtest.Cluster, job *pipeline.Job) <-chan error {
	swept := make(chan error, 1)
	go func() {
		namespaces, err := cluster.Sweep(ctx)
		for _, n := range namespaces {
			fmt.Fprintf(job.Log, "deleted namespace %s, left by a run that is over\n", n)
		}
		swept <- err
	}()
	return swept
}

// take leases a namespace and remembers it for Clean.
func (s *Stage) take(ctx context.Context, cluster *kindtest.Cluster, job *pipeline.Job) (*kindtest.Lease, error) {
	lease, err := cluster.Lease(ctx, kindtest.LeaseOptions{Prefix: s.o.Service.Name, RunID: job.Run})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lease = lease
	return lease, nil
}

// Clean implements pipeline.Cleaner: the namespace is given back. Its deletion
// is issued and seen; that all of it is gone is waited for only on request.
func (s *Stage) Clean(ctx context.Context, job *pipeline.Job) error {
	s.mu.Lock()
	lease := s.lease
	s.lease = nil
	s.mu.Unlock()
	if lease == nil {
		return nil
	}
	if err := lease.Release(ctx); err != nil {
		return fmt.Errorf("namespace %s, until the next run sweeps it: %w", lease.Namespace, err)
	}
	if !s.o.WaitCleanup {
		return nil
	}
	if err := lease.WaitGone(ctx); err != nil {
		return fmt.Errorf("namespace %s, which is still being deleted: %w", lease.Namespace, err)
	}
	return nil
}

// collectTimeout bounds the time for logs and events of a failure.
const collectTimeout = 15 * time.Second

// collect notes what the cluster said, and keeps what explains a failure, also
// after a cancellation.
func (s *Stage) collect(ctx context.Context, job *pipeline.Job, lease *kindtest.Lease, failure error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), collectTimeout)
	defer cancel()
	events, err := lease.Events(ctx)
	if err != nil {
		fmt.Fprintf(job.Log, "the events of the namespace could not be read: %v\n", err)
	}
	for _, e := range events {
		job.Findings.Events = append(job.Findings.Events, pipeline.ClusterEvent(e))
	}
	if failure == nil {
		return
	}
	dir := filepath.Join(job.Kept, "cluster")
	if err := lease.Collect(ctx, dir); err != nil {
		fmt.Fprintf(job.Log, "not all of the logs and events could be kept: %v\n", err)
	}
}

// stageError gives the errors of kindtest their status: what is wrong with the
// chart or the service is a failure, what is wrong around it is not.
func stageError(err error) error {
	var (
		environment *kindtest.EnvironmentError
		permission  *kindtest.PermissionError
		notReady    *kindtest.NotReadyError
		chart       *kindtest.ChartError
		manifest    *kindtest.ManifestError
	)
	switch {
	case errors.As(err, &environment):
		return &pipeline.NotTested{Why: environment.What, Remedy: environment.Remedy, Err: environment.Err}
	case errors.As(err, &permission):
		return &pipeline.NotTested{Why: "not allowed to " + permission.Action, Remedy: permission.Remedy, Err: permission.Err}
	case errors.As(err, &notReady):
		return &pipeline.Failure{Summary: notReady.Error(), Cause: firstLines(notReady.Diagnosis.String(), 20)}
	case errors.As(err, &chart), errors.As(err, &manifest):
		return &pipeline.Failure{Summary: err.Error()}
	}
	return err
}
