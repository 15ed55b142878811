package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/stages/container"
	"gitlab.com/selfcontained/pipeline/stages/internal/installation"
)

// deployment is one installation of the service and its neighbours.
type deployment struct {
	stage   *Stage
	job     *pipeline.Job
	cluster *kindtest.Cluster
	lease   *kindtest.Lease
	bundle  *container.Bundle

	images   map[string]*loading // by the name of the service
	loaded   kindtest.Loaded     // the service's image in the cluster
	ca       string              // path of the authority's certificate
	siblings []string            // services installed beside
}

// install creates everything, neighbours first in their order; it does not
// wait until they are ready.
func (d *deployment) install(ctx context.Context) error {
	defer d.job.Phase("install")()
	if err := d.secret(ctx); err != nil {
		return err
	}
	for i := range d.stage.o.Service.Integration.With {
		if err := d.neighbour(ctx, &d.stage.o.Service.Integration.With[i]); err != nil {
			return err
		}
	}
	var err error
	d.loaded, err = d.installBundle(ctx, &d.stage.o.Service)
	return err
}

// secret makes the key pair of the lease; the authority's certificate is what
// tests verify with.
func (d *deployment) secret(ctx context.Context) error {
	hosts := []string{d.stage.o.Service.Name}
	for _, w := range d.stage.o.Service.Integration.With {
		hosts = append(hosts, releaseName(&w))
	}
	ca, err := d.lease.TLS(ctx, tlsSecret, hosts)
	if err != nil {
		return err
	}
	d.ca = filepath.Join(d.job.Scratch, "ca.crt")
	return os.WriteFile(d.ca, ca, 0o644)
}

// releaseName is the name under which a neighbour is installed.
func releaseName(w *config.With) string {
	for _, name := range []string{w.Name, w.Service, filepath.Base(w.Chart), filepath.Base(w.Manifests)} {
		if name != "" && name != "." {
			return strings.TrimSuffix(name, ".tgz")
		}
	}
	return "neighbour"
}

// neighbour installs what stands beside the service.
func (d *deployment) neighbour(ctx context.Context, w *config.With) error {
	dir := d.stage.o.Service.Dir
	switch {
	case w.Service != "":
		return d.sibling(ctx, w)
	case w.Chart != "":
		return d.lease.InstallChart(ctx, kindtest.Chart{
			Release: releaseName(w), Path: filepath.Join(dir, w.Chart), Values: w.Values,
		})
	}
	return d.applyPath(ctx, filepath.Join(dir, w.Manifests), nil)
}

// sibling installs another service of the system from its bundle.
func (d *deployment) sibling(ctx context.Context, w *config.With) error {
	for _, svc := range d.stage.o.Siblings {
		if svc.Name != w.Service {
			continue
		}
		svc.Integration.Values = installation.Merge(svc.Integration.Values, w.Values)
		d.siblings = append(d.siblings, svc.Name)
		_, err := d.installBundle(ctx, &svc)
		return err
	}
	return fmt.Errorf("service %s is not configured", w.Service)
}

// installBundle installs the chart or the manifests of a service whose image
// is being loaded.
func (d *deployment) installBundle(ctx context.Context, svc *config.Service) (kindtest.Loaded, error) {
	image := d.images[svc.Name]
	d.job.Say("loading " + image.bundle.Name + " " + image.bundle.Version)
	if svc.Chart == "" {
		loaded, err := image.Wait()
		if err != nil {
			return loaded, err
		}
		return loaded, d.applyPath(ctx, filepath.Join(svc.Dir, svc.Manifests), &replacement{name: image.bundle.Name, ref: loaded.Ref})
	}
	archive, err := os.ReadFile(filepath.Join(image.folder, "chart.tgz"))
	if err != nil {
		return kindtest.Loaded{}, fmt.Errorf("the bundle of %s has no chart: %w", image.bundle.Name, err)
	}
	return image.Install(ctx, d.lease, archive, svc.Integration.Values)
}

// applyPath applies a manifest file, or all of a folder in the order of their
// names.
func (d *deployment) applyPath(ctx context.Context, path string, image *replacement) error {
	files := []string{path}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		files, _ = filepath.Glob(filepath.Join(path, "*.y*ml"))
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			return &pipeline.Failure{Summary: fmt.Sprintf("manifest %v", err)}
		}
		if image != nil {
			data = image.apply(data)
		}
		rel, err := filepath.Rel(d.stage.o.Service.Dir, f)
		if err != nil {
			rel = f
		}
		if err := d.lease.Apply(ctx, rel, data); err != nil {
			return err
		}
	}
	return nil
}

// ready waits until all that was installed is ready.
func (d *deployment) ready(ctx context.Context, phase string) error {
	defer d.job.Phase(phase)()
	return d.lease.WaitReady(ctx, kindtest.ReadyOptions{
		Timeout: d.stage.o.Service.Integration.Ready, Restarts: 2, Progress: d.job.Say,
	})
}

// checkImage makes sure that what runs is what was built: the bytes that were
// recorded, not something of the same name.
func (d *deployment) checkImage(ctx context.Context) error {
	images, err := d.lease.Images(ctx)
	if err != nil {
		return err
	}
	found := 0
	for _, i := range images {
		if !installation.SameRef(i.Image, d.loaded.Ref) {
			continue
		}
		same, err := d.lease.Cluster().Runs(ctx, i.ImageID, d.loaded)
		if err != nil {
			return err
		}
		if !same {
			return &pipeline.Failure{Summary: fmt.Sprintf("pod %s runs %s, expected %s", i.Pod, i.ImageID, d.loaded.Digest)}
		}
		found++
		fmt.Fprintf(d.job.Log, "pod %s runs %s\n", i.Pod, i.ImageID)
	}
	if found == 0 {
		return d.foreignImages(images)
	}
	d.job.Findings.Facts = map[string]string{"image": d.loaded.Digest, "kubernetes": d.lease.Cluster().Version}
	d.record("image digest", pipeline.TestPassed, 0)
	return nil
}

// foreignImages says that a chart does not use the image that it is given.
func (d *deployment) foreignImages(images []kindtest.PodImage) error {
	return installation.ForeignImages("no pod runs the image of the bundle", d.loaded.Ref, images)
}

// otherImages explains why nothing gets ready: when no pod even tries to run
// the image under test, that is the reason to show.
func (d *deployment) otherImages(ctx context.Context, notReady error) error {
	images, err := d.lease.Images(ctx)
	if err != nil || len(images) == 0 {
		return notReady
	}
	for _, i := range images {
		if installation.SameRef(i.Image, d.loaded.Ref) {
			return notReady
		}
	}
	return d.foreignImages(images)
}

// record adds a built-in check to the findings.
func (d *deployment) record(name string, status pipeline.TestStatus, took time.Duration) {
	d.job.Findings.Tests = append(d.job.Findings.Tests, pipeline.Test{
		Package: "integration", Name: name, Status: status, Time: took,
	})
}
