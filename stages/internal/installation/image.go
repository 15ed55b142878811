package installation

import (
	"context"
	"fmt"
	"strings"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// Image is that of a bundle, on its way into a cluster.
type Image struct {
	Name, Version string
	// Digest is that of the bundle, Layout the folder of the OCI layout with it.
	Digest evidence.Digest
	Layout string

	done   chan struct{}
	loaded kindtest.Loaded
	err    error
}

// Ref is the name of the bundle inside the cluster.
func (i *Image) Ref() string {
	tag := strings.ReplaceAll(i.Version, "+", "-")
	return fmt.Sprintf("pipeline.local/%s:%s-%s", i.Name, tag, i.Digest.Short())
}

// Load begins to bring the image into the cluster, and returns at once. It may
// be called once, and before Wait.
func (i *Image) Load(ctx context.Context, cluster *kindtest.Cluster, job *pipeline.Job) {
	i.done = make(chan struct{})
	go func() {
		defer close(i.done)
		finished := job.Phase("load " + i.Name)
		i.loaded, i.err = cluster.Load(ctx, i.Layout, string(i.Digest), i.Ref())
		if i.err == nil {
			finished()
			fmt.Fprintf(job.Log, "image %s (%s), %d bytes sent\n", i.loaded.Ref, i.loaded.Digest, i.loaded.Sent)
		}
	}()
}

// Wait returns what became of Load; soon after its context has ended at the
// latest.
func (i *Image) Wait() (kindtest.Loaded, error) {
	<-i.done
	return i.loaded, i.err
}

// Install installs the bundle's chart under the bundle's name as soon as the
// image is there. The chart is made ready meanwhile, under the name that the
// image usually gets. The image wins over what values say of it.
func (i *Image) Install(ctx context.Context, lease *kindtest.Lease, archive []byte, values map[string]any) (kindtest.Loaded, error) {
	prepare := func(ref string) (*kindtest.PreparedChart, error) {
		return lease.PrepareChart(ctx, kindtest.Chart{
			Release: i.Name, Archive: archive, Values: Merge(values, ImageValues(ref)),
		})
	}
	expected := i.Ref()
	chart, err := prepare(expected)
	if err != nil {
		return kindtest.Loaded{}, err
	}
	loaded, err := i.Wait()
	if err == nil && loaded.Ref != expected {
		chart, err = prepare(loaded.Ref)
	}
	if err != nil {
		return loaded, err
	}
	return loaded, chart.Install(ctx)
}
