package registry

import (
	"context"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
)

// ChartRepository is where the chart of a bundle lies. Helm takes the last
// element of the path for the chart's name, so that
//
//	helm pull oci://HOST/PATH/charts/NAME --version 1.4.2
//
// gets it. It has the digest that it has in the bundle.
func ChartRepository(bundle *repository.Repository, name string) (*repository.Repository, error) {
	return bundle.Sibling("charts/" + name)
}

// PushChart makes the chart's manifest be in its repository under the version.
// Helm chooses among versions by itself: there are no moving tags. A version
// that is there with another digest is a TagTaken.
func PushChart(ctx context.Context, to *repository.Repository, from Source, chart evidence.Digest, version string) error {
	if err := CheckChart(ctx, to, chart, version); err != nil {
		return err
	}
	if err := Push(ctx, to, from, chart); err != nil {
		return err
	}
	m, err := from.Manifest(ctx, string(chart))
	if err != nil {
		return err
	}
	// Between the look and the tag another release may have come.
	if err := CheckChart(ctx, to, chart, version); err != nil {
		return err
	}
	return to.PutTag(ctx, version, m)
}

// CheckChart returns a TagTaken when the version is there with another digest.
func CheckChart(ctx context.Context, to *repository.Repository, chart evidence.Digest, version string) error {
	v, err := parseVersion(version)
	if err != nil {
		return err
	}
	return (&tagPlan{in: to, version: v, digest: chart}).full(ctx)
}
