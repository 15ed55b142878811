// Package bundletest makes small bundles for tests: of the form that the
// container stage gives them, with a program of a few bytes.
package bundletest

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gitlab.com/selfcontained/pipeline/pipeline/bundle"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
)

// Spec says what a bundle has.
type Spec struct {
	Name, Version  string
	Platforms      []string // default linux/amd64
	Chart          []byte   // the archive; none without
	Provides, Uses []bundle.API
	// Program is the content of the images; default name and version. The other
	// layer is the same in all bundles.
	Program []byte
}

// Bundle is a bundle in memory. It is a bundle.Source.
type Bundle struct {
	Digest evidence.Digest
	// Blobs are configurations and layers, Manifests the rest; each after what it
	// names.
	Blobs     map[evidence.Digest][]byte
	Manifests []*repository.Manifest
}

// New makes a bundle; equal specs make equal ones.
func New(s Spec) *Bundle {
	b := &Bundle{Blobs: map[evidence.Digest][]byte{}}
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Annotations: map[string]string{
		"org.opencontainers.image.title": s.Name, "org.opencontainers.image.version": s.Version,
	}}
	if len(s.Platforms) == 0 {
		s.Platforms = []string{"linux/amd64"}
	}
	if s.Program == nil {
		s.Program = []byte("program of " + s.Name + " " + s.Version)
	}
	for _, p := range s.Platforms {
		index.Manifests = append(index.Manifests, b.image(s, p))
	}
	if s.Chart != nil {
		index.Manifests = append(index.Manifests, b.part("chart", "", v1.Manifest{
			Config: b.blob("application/vnd.cncf.helm.config.v1+json", []byte(`{"name":"`+s.Name+`"}`)),
			Layers: []v1.Descriptor{b.blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", s.Chart)},
		}))
	}
	if len(s.Provides)+len(s.Uses) > 0 {
		index.Manifests = append(index.Manifests, b.interfaces(s))
	}
	const sbom = "application/vnd.cyclonedx+json"
	index.Manifests = append(index.Manifests, b.part("sbom", sbom, v1.Manifest{Layers: []v1.Descriptor{b.blob(sbom, []byte(`{"components":[]}`))}}))
	b.Digest = evidence.Digest(b.manifest(types.OCIImageIndex, index).Digest.String())
	return b
}

func (b *Bundle) image(s Spec, platform string) v1.Descriptor {
	p, err := v1.ParsePlatform(platform)
	if err != nil {
		panic(err) // the test's own mistake
	}
	config := v1.ConfigFile{Architecture: p.Architecture, OS: p.OS, Variant: p.Variant, RootFS: v1.RootFS{Type: "layers"}}
	layers := []v1.Descriptor{b.blob(types.OCIUncompressedLayer, []byte("base")), b.blob(types.OCIUncompressedLayer, append([]byte(platform), s.Program...))}
	for _, l := range layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.Digest)
	}
	desc := b.manifest(types.OCIManifestSchema1, v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1,
		Config: b.blob(types.OCIConfigJSON, encode(config)), Layers: layers,
	})
	desc.Platform = p
	return desc
}

func (b *Bundle) interfaces(s Spec) v1.Descriptor {
	var m v1.Manifest
	for _, side := range []struct {
		name string
		list []bundle.API
	}{{"provides", s.Provides}, {"uses", s.Uses}} {
		for _, api := range side.list {
			layer := b.blob(types.MediaType(api.MediaType), api.Data)
			layer.Annotations = map[string]string{"org.opencontainers.image.title": api.Title, "vnd.selfcontained.api": side.name}
			m.Layers = append(m.Layers, layer)
		}
	}
	return b.part("api", "application/vnd.selfcontained.api.v1", m)
}

// part stores a manifest that is no image.
func (b *Bundle) part(role, artifactType string, m v1.Manifest) v1.Descriptor {
	m.SchemaVersion, m.MediaType, m.ArtifactType = 2, types.OCIManifestSchema1, artifactType
	m.Annotations = map[string]string{"vnd.selfcontained.role": role}
	if m.Config.Size == 0 {
		m.Config = b.blob(types.OCIEmptyJSON, []byte("{}"))
	}
	desc := b.manifest(types.OCIManifestSchema1, m)
	desc.Platform = &v1.Platform{OS: "unknown", Architecture: "unknown"}
	desc.Annotations, desc.ArtifactType = m.Annotations, artifactType
	return desc
}

func (b *Bundle) manifest(mediaType types.MediaType, m any) v1.Descriptor {
	raw := encode(m)
	b.Manifests = append(b.Manifests, &repository.Manifest{MediaType: mediaType, Raw: raw})
	return describe(mediaType, raw)
}

func (b *Bundle) blob(mediaType types.MediaType, data []byte) v1.Descriptor {
	b.Blobs[evidence.Sum(data)] = data
	return describe(mediaType, data)
}

func describe(mediaType types.MediaType, data []byte) v1.Descriptor {
	return v1.Descriptor{
		MediaType: mediaType, Size: int64(len(data)),
		Digest: v1.Hash{Algorithm: "sha256", Hex: evidence.Sum(data).Hex()},
	}
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain texts and numbers
	}
	return data
}

// Manifest returns a manifest of the bundle, or nil.
func (b *Bundle) Manifest(_ context.Context, digest string) (*repository.Manifest, error) {
	for _, m := range b.Manifests {
		if string(m.Digest()) == digest {
			return m, nil
		}
	}
	return nil, nil
}

// Layer returns a blob of the bundle, or an error that wraps fs.ErrNotExist.
func (b *Bundle) Layer(_ context.Context, desc v1.Descriptor) (v1.Layer, error) {
	data, ok := b.Blobs[evidence.Digest(desc.Digest.String())]
	if !ok {
		return nil, &os.PathError{Op: "read", Path: desc.Digest.String(), Err: os.ErrNotExist}
	}
	return static.NewLayer(data, desc.MediaType), nil
}

// String names the source in errors.
func (b *Bundle) String() string { return "memory" }

// Push uploads the bundle and gives it the tags.
func (b *Bundle) Push(t testing.TB, to *repository.Repository, tags ...string) {
	t.Helper()
	for _, digest := range slices.Sorted(maps.Keys(b.Blobs)) {
		if err := to.PutBlob(t.Context(), static.NewLayer(b.Blobs[digest], "application/octet-stream")); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range b.Manifests {
		if err := to.PutManifest(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	for _, tag := range tags {
		if err := to.PutTag(t.Context(), tag, b.Manifests[len(b.Manifests)-1]); err != nil {
			t.Fatal(err)
		}
	}
}

// Write writes the bundle as an OCI image layout.
func (b *Bundle) Write(t testing.TB, dir string) {
	t.Helper()
	root := b.Manifests[len(b.Manifests)-1]
	files := map[string][]byte{
		"oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`),
		"index.json": encode(v1.IndexManifest{
			SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{describe(root.MediaType, root.Raw)},
		}),
	}
	for digest, data := range b.Blobs {
		files["blobs/sha256/"+digest.Hex()] = data
	}
	for _, m := range b.Manifests {
		files["blobs/sha256/"+m.Digest().Hex()] = m.Raw
	}
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
