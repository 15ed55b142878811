package system

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/internal/installation"
)

// deployment is one installation of the combination.
type deployment struct {
	stage   *Stage
	job     *pipeline.Job
	cluster *kindtest.Cluster
	lease   *kindtest.Lease

	members []*placed // sorted by name
	ca      string    // path of the authority's certificate
}

// placed is a member and its image in the cluster.
type placed struct {
	*Member
	image  *installation.Image
	loaded kindtest.Loaded // once it is installed
}

func newDeployment(s *Stage, job *pipeline.Job, cluster *kindtest.Cluster) *deployment {
	d := &deployment{stage: s, job: job, cluster: cluster}
	for i := range s.o.Members {
		m := &s.o.Members[i]
		d.members = append(d.members, &placed{Member: m, image: &installation.Image{
			Name: m.Name, Version: m.Version, Digest: m.Bundle, Layout: m.Layout,
		}})
	}
	slices.SortFunc(d.members, func(a, b *placed) int { return strings.Compare(a.Name, b.Name) })
	return d
}

// load begins to bring all images into the cluster.
func (d *deployment) load(ctx context.Context) {
	for _, m := range d.members {
		m.image.Load(ctx, d.cluster, d.job)
	}
}

// settle waits until no image is on its way any more.
func (d *deployment) settle() {
	for _, m := range d.members {
		_, _ = m.image.Wait()
	}
}

// install creates everything, all members at the same time; it does not wait
// until they are ready.
func (d *deployment) install(ctx context.Context) error {
	defer d.job.Phase("install")()
	d.job.Say(fmt.Sprintf("installing %d services", len(d.members)))
	if err := d.secret(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(d.members))
	var all sync.WaitGroup
	for i, m := range d.members {
		all.Go(func() {
			if errs[i] = d.installMember(ctx, m); errs[i] != nil {
				stop() // the others wait for nothing
			}
		})
	}
	all.Wait()
	return firstCause(errs)
}

// firstCause returns the first error that is more than the consequence of
// another one.
func firstCause(errs []error) error {
	cause := slices.IndexFunc(errs, func(err error) bool { return err != nil && !errors.Is(err, context.Canceled) })
	if cause >= 0 {
		return errs[cause]
	}
	return errors.Join(errs...)
}

func (d *deployment) installMember(ctx context.Context, m *placed) error {
	defer d.job.Phase("install " + m.Name)()
	if len(m.Chart) == 0 {
		return &pipeline.Failure{
			Summary: m.String() + " has no chart in its bundle",
			Cause:   "A service of a system is installed by the chart that is released with it: add one at deploy/chart or chart.",
		}
	}
	var err error
	if m.loaded, err = m.image.Install(ctx, d.lease, m.Chart, m.Values); err == nil {
		return nil
	}
	if _, loading := m.image.Wait(); loading != nil {
		return fmt.Errorf("%s: %w", m, err)
	}
	return &memberError{m.Member, err}
}

// secret makes the key pair of the namespace, for the names of all members;
// the authority's certificate is what tests verify with.
func (d *deployment) secret(ctx context.Context) error {
	var hosts []string
	for _, m := range d.members {
		hosts = append(hosts, m.Name)
	}
	ca, err := d.lease.TLS(ctx, tlsSecret, hosts)
	if err != nil {
		return err
	}
	d.ca = filepath.Join(d.job.Scratch, "ca.crt")
	return os.WriteFile(d.ca, ca, 0o644)
}

// ready waits until all that was installed is ready.
func (d *deployment) ready(ctx context.Context) error {
	defer d.job.Phase("ready")()
	err := d.lease.WaitReady(ctx, kindtest.ReadyOptions{Timeout: d.stage.o.Ready, Restarts: 2, Progress: d.job.Say})
	var notReady *kindtest.NotReadyError
	if !errors.As(err, &notReady) || ctx.Err() != nil {
		return err
	}
	return d.explain(ctx, notReady)
}
