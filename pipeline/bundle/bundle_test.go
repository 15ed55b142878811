package bundle_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gitlab.com/selfcontained/pipeline/pipeline/bundle"
	"gitlab.com/selfcontained/pipeline/pipeline/bundle/bundletest"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/registrytest"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/release/registry"
	"gitlab.com/selfcontained/pipeline/stages/container"
)

func shop() bundletest.Spec {
	return bundletest.Spec{
		Name: "cart", Version: "1.2.3", Platforms: []string{"linux/arm64", "linux/amd64"}, Chart: []byte("chart archive"),
		Provides: []bundle.API{{Title: "api/cart.binpb", MediaType: "application/protobuf", Data: []byte("cart")}},
		Uses: []bundle.API{
			{Title: "api/stock.binpb", MediaType: "application/protobuf", Data: []byte("stock")},
			{Title: "api/pay.yaml", MediaType: "application/vnd.oai.openapi", Data: []byte("pay")},
		},
	}
}

func open(t testing.TB, host string) *repository.Repository {
	t.Helper()
	repo, err := repository.Open(host+"/shop/cart", repository.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return repo
}

// A bundle reads the same from a registry, with or without referrers API, from
// a layout, and from memory.
func TestRead(t *testing.T) {
	t.Parallel()
	made := bundletest.New(shop())
	layout := t.TempDir()
	made.Write(t, layout)
	opened, err := registry.OpenLayout(layout)
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string]bundle.Source{"memory": made, "layout": opened}
	for _, kind := range []bool{true, false} {
		repo := open(t, registrytest.InProcess(t, kind))
		made.Push(t, repo)
		sources[fmt.Sprintf("registry %v", kind)] = repo
	}
	for name, src := range sources {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := bundle.Read(t.Context(), src, made.Digest)
			if err != nil {
				t.Fatal(err)
			}
			want := &bundle.Bundle{
				Name: "cart", Version: "1.2.3", Digest: made.Digest, Size: int64(len(made.Manifests[len(made.Manifests)-1].Raw)),
				Chart: b.Chart, SBOM: b.SBOM, Images: b.Images, Provides: shop().Provides, Uses: shop().Uses,
			}
			if diff := cmp.Diff(want, b); diff != "" {
				t.Error(diff)
			}
			if len(b.Images) != 2 || b.Images[0].Platform != "linux/amd64" || b.Images[1].Platform != "linux/arm64" || b.SBOM == "" {
				t.Errorf("images %v, SBOM %q", b.Images, b.SBOM)
			}
			if chart, err := b.ChartArchive(t.Context(), src); err != nil || string(chart) != "chart archive" {
				t.Errorf("chart %q, %v", chart, err)
			}
		})
	}
}

// A source that changes what a bundle says.
type changed struct {
	*bundletest.Bundle
	manifest func(*repository.Manifest) *repository.Manifest
	blob     func(v1.Descriptor) v1.Descriptor
}

func (c changed) Manifest(ctx context.Context, digest string) (*repository.Manifest, error) {
	m, err := c.Bundle.Manifest(ctx, digest)
	if c.manifest != nil && m != nil {
		m = c.manifest(m)
	}
	return m, err
}

func (c changed) Layer(ctx context.Context, desc v1.Descriptor) (v1.Layer, error) {
	if c.blob != nil {
		desc = c.blob(desc)
	}
	return c.Bundle.Layer(ctx, desc)
}

// rewritten returns a bundle with another index; its own digest is right.
func rewritten(change func(*v1.IndexManifest)) *bundletest.Bundle {
	b := bundletest.New(shop())
	last := len(b.Manifests) - 1
	var index v1.IndexManifest
	if err := json.Unmarshal(b.Manifests[last].Raw, &index); err != nil {
		panic(err)
	}
	change(&index)
	raw, err := json.Marshal(index)
	if err != nil {
		panic(err)
	}
	b.Manifests[last] = &repository.Manifest{MediaType: types.OCIImageIndex, Raw: raw}
	b.Digest = evidence.Sum(raw)
	return b
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	made := bundletest.New(shop())
	withRole := func(role string) int {
		for i, m := range made.Manifests {
			if strings.Contains(string(m.Raw), `"vnd.selfcontained.role":"`+role+`"`) {
				return i
			}
		}
		panic(role)
	}
	for name, c := range map[string]struct {
		src  bundle.Source
		at   evidence.Digest
		want string
	}{
		"not there": {made, evidence.Sum(nil), "is not there"},
		"no index":  {made, made.Manifests[withRole("api")].Digest(), "is no index of a bundle"},
		"another manifest": {changed{Bundle: made, manifest: func(*repository.Manifest) *repository.Manifest {
			return made.Manifests[0]
		}}, made.Digest, "came as"},
		"another blob": {changed{Bundle: made, blob: func(d v1.Descriptor) v1.Descriptor {
			d.Digest = v1.Hash{Algorithm: "sha256", Hex: evidence.Sum([]byte("base")).Hex()}
			return d
		}}, made.Digest, "came as"},
		"no interfaces": {changed{Bundle: made, manifest: func(m *repository.Manifest) *repository.Manifest {
			if m == made.Manifests[withRole("api")] {
				return nil
			}
			return m
		}}, made.Digest, "is not there"},
		"two charts": {rewritten(func(x *v1.IndexManifest) { x.Manifests = append(x.Manifests, x.Manifests...) }), "", "two manifests of the role"},
		"no name":    {rewritten(func(x *v1.IndexManifest) { delete(x.Annotations, "org.opencontainers.image.title") }), "", "no name"},
		"no image":   {rewritten(func(x *v1.IndexManifest) { x.Manifests = x.Manifests[2:] }), "", "no image"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if b, ok := c.src.(*bundletest.Bundle); ok && c.at == "" {
				c.at = b.Digest
			}
			_, err := bundle.Read(t.Context(), c.src, c.at)
			var broken *bundle.Broken
			if !errors.As(err, &broken) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; expected a broken bundle that %s", err, c.want)
			}
		})
	}
}

// The bundles of these tests look like those that the container stage writes.
func TestForm(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for _, m := range bundletest.New(shop()).Manifests {
		all.Write(m.Raw)
	}
	for _, part := range []string{
		`"` + container.RoleAnnotation + `":"chart"`, `"` + container.RoleAnnotation + `":"api"`, `"` + container.RoleAnnotation + `":"sbom"`,
		`"` + container.APIAnnotation + `":"provides"`, `"` + container.APIAnnotation + `":"uses"`,
		`"artifactType":"` + container.APIType + `"`, `"artifactType":"` + container.SBOMType + `"`,
	} {
		if !strings.Contains(all.String(), part) {
			t.Errorf("no manifest has %s", part)
		}
	}
}

// A bundle without chart and interfaces is one, too.
func TestReadLeast(t *testing.T) {
	t.Parallel()
	made := bundletest.New(bundletest.Spec{Name: "job", Version: "0.1.0"})
	b, err := bundle.Read(t.Context(), made, made.Digest)
	if err != nil {
		t.Fatal(err)
	}
	chart, err := b.ChartArchive(t.Context(), made)
	if b.Chart != "" || chart != nil || err != nil || b.Provides != nil || b.Uses != nil {
		t.Errorf("%+v, chart %q, %v", b, chart, err)
	}
}
