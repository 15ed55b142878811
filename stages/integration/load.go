package integration

import (
	"context"
	"fmt"
	"path/filepath"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/container"
	"gitlab.com/selfcontained/pipeline/stages/internal/installation"
)

// loading is an image on its way into the cluster.
type loading struct {
	*installation.Image
	bundle *container.Bundle
	folder string // outputs of the container stage
}

func newLoading(bundle *container.Bundle, folder string) *loading {
	return &loading{bundle: bundle, folder: folder, Image: &installation.Image{
		Name: bundle.Name, Version: bundle.Version, Digest: bundle.Digest, Layout: filepath.Join(folder, "oci"),
	}}
}

// load begins to bring the images of the service and of its siblings into the
// cluster, all at the same time.
func (d *deployment) load(ctx context.Context) error {
	d.images = map[string]*loading{}
	for _, w := range d.stage.o.Service.Integration.With {
		if w.Service == "" || d.images[w.Service] != nil {
			continue
		}
		need := w.Service + "/container"
		folder, ok := d.job.Need(need)
		if !ok {
			return &pipeline.NotTested{
				Why:    fmt.Sprintf("integration.with names the service %s, which is not here", w.Service),
				Remedy: "run in the folder that holds both services",
			}
		}
		bundle, err := readBundle(d.job, need)
		if err != nil {
			return err
		}
		d.images[w.Service] = newLoading(bundle, folder)
	}
	folder, _ := d.job.Need("container")
	d.images[d.stage.o.Service.Name] = newLoading(d.bundle, folder)
	for _, image := range d.images {
		image.Load(ctx, d.cluster, d.job)
	}
	return nil
}

// settle waits until nothing is on its way any more.
func (d *deployment) settle() {
	for _, image := range d.images {
		_, _ = image.Wait()
	}
}
