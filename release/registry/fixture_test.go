package registry

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/registrytest"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/release/registry/loopback"
)

// registries are those of everybody, and our own.
func registries() []registrytest.Registry {
	return append(registrytest.All(), registrytest.Registry{Name: "loopback", Referrers: true, Start: ours})
}

func ours(t *testing.T) string {
	t.Helper()
	r, err := loopback.Open(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(r)
	t.Cleanup(func() {
		s.Close()
		r.Close()
	})
	return strings.TrimPrefix(s.URL, "http://")
}

func open(t testing.TB, ref string, o repository.Options) *repository.Repository {
	t.Helper()
	r, err := repository.Open(ref, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// fixture writes an OCI layout.
type fixture struct {
	t   testing.TB
	dir string
}

func (f fixture) blob(mediaType types.MediaType, data []byte) v1.Descriptor {
	f.t.Helper()
	digest := evidence.Sum(data)
	name := filepath.Join(f.dir, "blobs", "sha256", digest.Hex())
	if err := evidence.WriteFile(name, data); err != nil {
		f.t.Fatal(err)
	}
	return v1.Descriptor{MediaType: mediaType, Size: int64(len(data)), Digest: v1.Hash{Algorithm: "sha256", Hex: digest.Hex()}}
}

func (f fixture) json(mediaType types.MediaType, v any) v1.Descriptor {
	f.t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.blob(mediaType, data)
}

// layer returns the descriptor of a layer and the digest of its content.
func (f fixture) layer(files map[string]string) (v1.Descriptor, v1.Hash) {
	f.t.Helper()
	content := evidence.Sum(tarOf(f.t, files))
	return f.blob(types.OCILayer, tgz(f.t, files)), v1.Hash{Algorithm: "sha256", Hex: content.Hex()}
}

// bundle is what the container stage writes: an index of an image and a chart,
// in a layout whose index.json names it.
type bundle struct {
	*Layout
	chart evidence.Digest
}

// aBundle makes the bundle of "stock" in a version. The bundles of one test
// share their base, and nothing with those of others: some registries share
// blobs between repositories.
func aBundle(t testing.TB, version string) bundle {
	t.Helper()
	return bundleOn(t, t.Name(), version)
}

func bundleOn(t testing.TB, salt, version string) bundle {
	t.Helper()
	f := fixture{t, t.TempDir()}
	base, baseID := f.layer(map[string]string{"base": salt})
	program, programID := f.layer(map[string]string{"stock": salt + version})
	config := f.json(types.OCIConfigJSON, v1.ConfigFile{
		OS: "linux", Architecture: "amd64",
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{baseID, programID}},
	})
	image := f.json(types.OCIManifestSchema1, v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config, Layers: []v1.Descriptor{base, program},
	})
	image.Platform = &v1.Platform{OS: "linux", Architecture: "amd64"}
	metadata := `{"apiVersion":"v2","name":"stock","version":"` + version + `","description":"` + salt + `"}`
	chart := f.json(types.OCIManifestSchema1, v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1,
		Config: f.blob("application/vnd.cncf.helm.config.v1+json", []byte(metadata)),
		Layers: []v1.Descriptor{f.blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip",
			tgz(t, map[string]string{"stock/Chart.yaml": metadata}))},
	})
	chart.Platform = &v1.Platform{OS: "unknown", Architecture: "unknown"}
	index := f.json(types.OCIImageIndex, v1.IndexManifest{
		SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{image, chart},
		Annotations: map[string]string{versionAnnotation: version},
	})
	data, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{index}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "index.json"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := OpenLayout(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	return bundle{l, evidence.Digest(chart.Digest.String())}
}

func tgz(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(tarOf(t, files)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func tarOf(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// recorder is a journal; from the stop-th call on it refuses.
type recorder struct {
	mu      sync.Mutex
	effects []string
	calls   int
	stop    int
}

var errStopped = errors.New("stopped")

func (r *recorder) journal(e repository.Effect, done bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls++; r.stop > 0 && r.calls >= r.stop {
		return errStopped
	}
	if done {
		_, target, _ := strings.Cut(e.Target, "/")
		r.effects = append(r.effects, e.Kind+" "+target)
	}
	return nil
}

// release is what a release does with a bundle.
func release(t testing.TB, ref string, b bundle, version string, journal repository.Journal) error {
	t.Helper()
	to := open(t, ref, repository.Options{Journal: journal, Jobs: 1})
	if err := Push(t.Context(), to, b, b.Digest()); err != nil {
		return err
	}
	if err := Tag(t.Context(), to, b.Digest(), version); err != nil {
		return err
	}
	charts, err := ChartRepository(to, "stock")
	if err != nil {
		return err
	}
	return PushChart(t.Context(), charts, b, b.chart, version)
}

// tagsOf returns what all tags of a repository name.
func tagsOf(t testing.TB, ref string) map[string]evidence.Digest {
	t.Helper()
	r := open(t, ref, repository.Options{})
	tags, err := r.Tags(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]evidence.Digest{}
	for _, tag := range tags {
		if all[tag], err = r.Head(t.Context(), tag); err != nil {
			t.Fatal(err)
		}
	}
	return all
}
