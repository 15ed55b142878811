package kindtest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// notReady lists the workloads of a release that are not ready.
func (d *driftSearch) notReady(objects []*object) []ObjectDrift {
	only := &expected{}
	for _, o := range objects {
		only.expect(o.GetKind(), o) // of generation 0: whatever it is
	}
	var out []ObjectDrift
	for _, p := range Diagnose(only.pick(d.snapshot)).Problems {
		workload, _, _ := strings.Cut(p.Workload, " ")
		out = append(out, ObjectDrift{Kind: DriftNotReady, Object: workload, Want: "ready", Have: strings.TrimPrefix(p.line(), workload+" ")})
	}
	return out
}

// wrongImages lists the pods of a release in which a container that has to run
// the image runs another one.
func (d *driftSearch) wrongImages(ctx context.Context, objects []*object, image Loaded) ([]ObjectDrift, error) {
	var out []ObjectDrift
	for _, o := range objects {
		spec, err := o.podSpec()
		if err != nil || spec == nil {
			continue // Render would not have let it pass
		}
		own := make(map[string]bool)
		for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
			own[c.Name] = SameImage(c.Image, image.Ref)
		}
		only := &expected{}
		only.expect(o.GetKind(), o)
		for _, p := range only.pick(d.snapshot).Pods {
			wrong, err := d.wrongIn(ctx, p, own, image)
			if err != nil {
				return nil, err
			}
			out = append(out, wrong...)
		}
	}
	slices.SortFunc(out, func(a, b ObjectDrift) int { return cmp.Compare(a.Object+a.Field, b.Object+b.Field) })
	return out, nil
}

func (d *driftSearch) wrongIn(ctx context.Context, p *corev1.Pod, own map[string]bool, image Loaded) ([]ObjectDrift, error) {
	var out []ObjectDrift
	for _, i := range imagesOf(p) {
		if !own[i.Container] || i.ImageID == "" {
			continue
		}
		same, err := d.runs(ctx, i.ImageID, image)
		if err != nil {
			return nil, err
		}
		if !same {
			have := i.ImageID
			if !SameImage(i.Image, image.Ref) {
				have = fmt.Sprintf("%s (%s)", i.Image, i.ImageID)
			}
			out = append(out, ObjectDrift{Kind: DriftImage, Object: "pod/" + p.Name, Field: "container " + i.Container, Want: image.Digest, Have: have})
		}
	}
	return out, nil
}

// runs is Cluster.Runs, which may have to ask the nodes, once for each image.
func (d *driftSearch) runs(ctx context.Context, imageID string, image Loaded) (bool, error) {
	key := imageID + " " + image.Digest + " " + image.Config
	if same, known := d.same[key]; known {
		return same, nil
	}
	same, err := d.space.lease.cluster.Runs(ctx, imageID, image)
	if err == nil {
		d.same[key] = same
	}
	return same, err
}

// SameImage reports whether two references name one image. Of a reference by
// digest the tag does not count: "stock:1.2@sha256:..." is "stock@sha256:...".
func SameImage(a, b string) bool { return withoutTag(a) == withoutTag(b) }

func withoutTag(ref string) string {
	name, digest, ok := strings.Cut(ref, "@")
	if !ok {
		return ref
	}
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	return name + "@" + digest
}
