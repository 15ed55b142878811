package integration

import (
	"context"
	"fmt"
	"path/filepath"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/container"
)

// loading is an image on its way into the cluster.
type loading struct {
	bundle *container.Bundle
	folder string // outputs of the container stage
	done   chan struct{}
	loaded kindtest.Loaded
	err    error
}

// wait returns what became of it.
func (l *loading) wait() (kindtest.Loaded, error) {
	<-l.done
	return l.loaded, l.err
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
		d.images[w.Service] = &loading{bundle: bundle, folder: folder, done: make(chan struct{})}
	}
	folder, _ := d.job.Need("container")
	d.images[d.stage.o.Service.Name] = &loading{bundle: d.bundle, folder: folder, done: make(chan struct{})}
	for _, image := range d.images {
		go d.loadOne(ctx, image)
	}
	return nil
}

func (d *deployment) loadOne(ctx context.Context, image *loading) {
	defer close(image.done)
	b := image.bundle
	finished := d.job.Phase("load " + b.Name)
	image.loaded, image.err = d.cluster.Load(ctx, filepath.Join(image.folder, "oci"), string(b.Digest), imageRef(b))
	if image.err == nil {
		finished()
		fmt.Fprintf(d.job.Log, "image %s (%s), %d bytes sent\n", image.loaded.Ref, image.loaded.Digest, image.loaded.Sent)
	}
}

// settle waits until nothing is on its way any more.
func (d *deployment) settle() {
	for _, image := range d.images {
		<-image.done
	}
}
