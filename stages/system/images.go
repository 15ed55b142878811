package system

import (
	"context"
	"fmt"
	"path"
	"strings"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/internal/installation"
)

// checkImages makes sure that what runs is the combination: each member at least
// once with the bytes of its bundle, and no other version of a member.
func (d *deployment) checkImages(ctx context.Context) error {
	defer d.job.Phase("images")()
	belongings, err := d.lease.Belongings(ctx)
	if err != nil {
		return err
	}
	images, err := d.lease.Images(ctx)
	if err != nil {
		return err
	}
	var broken error
	same := func(i kindtest.PodImage, m *placed) bool {
		ok, err := d.cluster.Runs(ctx, i.ImageID, m.loaded)
		if err != nil && broken == nil {
			broken = err
		}
		return ok || err != nil
	}
	foreign := d.judgeImages(images, belongings, same)
	if broken != nil {
		return broken
	}
	if foreign != nil {
		return foreign
	}
	d.recordImages()
	return nil
}

// recordImages puts what runs into the findings.
func (d *deployment) recordImages() {
	facts := map[string]string{"combination": string(d.stage.o.ID), "kubernetes": d.cluster.Version}
	for _, m := range d.members {
		facts["image "+m.Name] = m.loaded.Digest
		fmt.Fprintf(d.job.Log, "%s runs %s\n", m, m.loaded.Digest)
		d.job.Findings.Tests = append(d.job.Findings.Tests, pipeline.Test{
			Package: "system", Name: "image of " + m.Name, Status: pipeline.TestPassed,
		})
	}
	d.job.Findings.Facts = facts
}

// judgeImages returns a *pipeline.Failure for the first image that should not be
// there, and nil when there is none. same compares the running bytes; when it is
// nil only names count, and members without a pod are passed over.
func (d *deployment) judgeImages(images []kindtest.PodImage, of kindtest.Belongings, same func(kindtest.PodImage, *placed) bool) error {
	fits := map[*placed]bool{}
	runs := map[*placed][]kindtest.PodImage{}
	for _, i := range images {
		owner := d.member(of["pod/"+i.Pod])
		runs[owner] = append(runs[owner], i)
		m := d.meant(i.Image)
		if m == nil {
			continue // somebody else's: a database, a sidecar
		}
		if err := judgeImage(i, m, owner, same); err != nil {
			return err
		}
		fits[m] = true
	}
	for _, m := range d.members {
		if !fits[m] && (same != nil || len(runs[m]) > 0) {
			return foreignImage("no pod of "+m.String()+" runs the image of its bundle", m, runs[m])
		}
	}
	return nil
}

// judgeImage looks at a container that runs an image by the name of m in a pod
// that belongs to owner, nil when that is not known.
func judgeImage(i kindtest.PodImage, m, owner *placed, same func(kindtest.PodImage, *placed) bool) error {
	switch {
	case !installation.SameRef(i.Image, m.loaded.Ref):
		return foreignImage(fmt.Sprintf("pod %s runs %s, which is not the image of %s", i.Pod, i.Image, m), m, []kindtest.PodImage{i})
	case owner != nil && owner != m:
		return foreignImage(fmt.Sprintf("pod %s of %s runs the image of %s", i.Pod, owner, m), owner, []kindtest.PodImage{i})
	case same != nil && !same(i, m):
		return &pipeline.Failure{Summary: fmt.Sprintf("pod %s runs %s, expected %s of %s", i.Pod, i.ImageID, m.loaded.Digest, m)}
	}
	return nil
}

func foreignImage(summary string, m *placed, images []kindtest.PodImage) *pipeline.Failure {
	return installation.ForeignImages(summary, m.loaded.Ref, images)
}

// meant returns the member whose image a reference names, by the last element of
// the repository, in whatever registry and version; nil for other images.
func (d *deployment) meant(ref string) *placed {
	repository, _, _ := strings.Cut(ref, "@")
	base, _, _ := strings.Cut(path.Base(repository), ":")
	return d.member(base)
}
