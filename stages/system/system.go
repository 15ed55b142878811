package system

import (
	"context"
	"fmt"
	"time"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/internal/installation"
)

const (
	// Kind is the second half of the node's name: "SYSTEM/suite".
	Kind = "suite"
	// Tag is the build tag that acceptance tests may have; those without any tag
	// are run as well.
	Tag = "acceptance"
	// tlsSecret is the name of the Secret with the key pair of the namespace.
	tlsSecret = "pipeline-tls"
)

// Options say what is tested and where.
type Options struct {
	System string          // its name, a DNS label
	ID     evidence.Digest // of the combination, with suite and values
	// Members are all services of the combination, in any order.
	Members []Member

	// Dir is the folder of the acceptance tests: a Go module, unless there is a
	// Command. Suite is the digest of its sources that is in the combination; see
	// SuiteDigest.
	Dir     string
	Suite   evidence.Digest
	Sources *source.Folder // of Dir
	// Command, if there is one, is run in Dir instead of Go tests.
	Command []string

	// Ready bounds the wait until all services are ready, Timeout the run of the
	// tests. Zero: 2 and 10 minutes.
	Ready, Timeout time.Duration

	Provider kindtest.Provider
	// Kubernetes is the version that the provider will give ("v1.36.3"), as far
	// as that can be told without asking; empty when it cannot.
	Kubernetes string
	// WaitCleanup waits at the end until the namespace is gone.
	WaitCleanup bool
	// Cache is a folder for the compiled suite that all runs with this Dir share,
	// those of other processes and those that go on at the same time too. Empty:
	// each job's own.
	Cache string
}

// Member is a service in one version.
type Member struct {
	Name, Version string
	// Bundle is the digest of the bundle, and Layout the folder of an OCI layout
	// that holds it, its image for the cluster's platform at least.
	Bundle evidence.Digest
	Layout string
	// Chart is the archive (.tgz) of the bundle's chart.
	Chart []byte
	// Values are those of the system for this chart, all layers merged. The image
	// is set by the stage.
	Values map[string]any
}

// String is how people call it: "stock 0.1.2".
func (m *Member) String() string { return m.Name + " " + m.Version }

// Stage implements pipeline.Stage, Keyer, Preflighter and Cleaner. A value tests
// one combination, one run at a time.
type Stage struct {
	o     Options
	space installation.Space // of the run that is going on
}

// New returns the stage.
func New(o Options) *Stage {
	if o.Ready == 0 {
		o.Ready = 2 * time.Minute
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Minute
	}
	return &Stage{o: o}
}

// clusterTime is what the node's time has room for beside readiness and tests:
// creating a cluster, sending images, compiling the suite.
const clusterTime = 10 * time.Minute

// Node returns the node SYSTEM/suite. One checkout runs one node of a name at a
// time: tests that go on at the same time need an engine with a
// pipeline.Checkout each.
func Node(o Options) pipeline.Node {
	s := New(o)
	return pipeline.Node{
		Name: o.System + "/" + Kind, Service: o.System, Kind: Kind, Dir: o.Dir, Stage: s,
		Timeout: clusterTime + s.o.Ready + s.o.Timeout, Retries: 1,
	}
}

// Preflight implements pipeline.Preflighter: it asks for a cluster, or for an
// engine that could make one.
func (s *Stage) Preflight(ctx context.Context) error {
	return verdict(ctx, s.o.Provider.Check(ctx))
}

// Run implements pipeline.Stage. Its errors are a *pipeline.Failure, a
// *pipeline.NotTested, or ctx's.
func (s *Stage) Run(ctx context.Context, job *pipeline.Job) error {
	if err := s.check(ctx); err != nil {
		return verdict(ctx, err)
	}
	suite, err := s.openSuite(ctx, job)
	if err != nil {
		return verdict(ctx, err)
	}
	defer suite.settle()
	return verdict(ctx, s.inCluster(ctx, job, suite))
}

// check makes sure that the combination is one that can be tested.
func (s *Stage) check(ctx context.Context) error {
	if len(s.o.Members) == 0 {
		return fmt.Errorf("system %s has no services", s.o.System)
	}
	if s.o.Sources == nil {
		return nil
	}
	digest, err := SuiteDigest(ctx, s.o.Sources)
	if err != nil {
		return fmt.Errorf("read the acceptance tests: %w", err)
	}
	if digest != s.o.Suite {
		return &pipeline.NotTested{
			Why:    fmt.Sprintf("the acceptance tests at %s are %s, the combination has %s", s.o.Dir, digest.Short(), s.o.Suite.Short()),
			Remedy: "check out the sources that belong to the combination, or make one with these tests: pipeline scs update",
		}
	}
	return nil
}

// inCluster does the work that needs the cluster.
func (s *Stage) inCluster(ctx context.Context, job *pipeline.Job, suite suite) (err error) {
	job.Say("waiting for the cluster")
	done := job.Phase("cluster")
	cluster, err := s.o.Provider.Ensure(ctx)
	if err != nil {
		return err
	}
	done()
	fmt.Fprintf(job.Log, "cluster %s %s, combination %s\n", cluster.Name, cluster.Version, s.o.ID)
	defer s.sweep(ctx, cluster, job)()
	d := newDeployment(s, job, cluster)
	d.load(ctx)
	defer d.settle()
	done = job.Phase("namespace")
	if d.lease, err = s.space.Take(ctx, cluster, s.o.System, job.Run); err != nil {
		return err
	}
	done()
	defer func() {
		done := job.Phase("collect")
		installation.Collect(ctx, job, d.lease, err)
		done()
	}()
	if err := d.install(ctx); err != nil {
		return err
	}
	if err := d.ready(ctx); err != nil {
		return err
	}
	if err := d.checkImages(ctx); err != nil {
		return err
	}
	return d.test(ctx, suite)
}

// sweep deletes what dead runs left, beside everything else. What several runs
// find at once is deleted by one of them and missed by the others, which is no
// reason not to test.
func (s *Stage) sweep(ctx context.Context, cluster *kindtest.Cluster, job *pipeline.Job) (wait func()) {
	swept := installation.Sweep(ctx, cluster, job.Log)
	return func() {
		if err := <-swept; err != nil {
			fmt.Fprintf(job.Log, "what other runs left is still there: %v\n", err)
		}
	}
}

// Clean implements pipeline.Cleaner: the namespace is given back. Its deletion
// is issued and seen; that all of it is gone is waited for only on request.
func (s *Stage) Clean(ctx context.Context, _ *pipeline.Job) error {
	return s.space.Clean(ctx, s.o.WaitCleanup)
}
