//go:build cluster

package system

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/kindtest/kind"
	"gitlab.com/selfcontained/pipeline/kindtest/providertest"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
)

// world is what the tests of this package share: a cluster, a compiled service
// and a compiled suite.
type world struct {
	provider kindtest.Provider
	cluster  *kindtest.Cluster
	program  []byte
	chart    []byte
	suite    string
	cache    string
}

// newWorld attaches to the cluster that all runs on this machine share.
func newWorld(t *testing.T) *world {
	t.Helper()
	o := kind.Options{Cluster: os.Getenv("PIPELINE_TEST_CLUSTER"), CacheDir: os.Getenv("PIPELINE_CACHE"), Engine: providertest.Engine(t, "docker", "podman")}
	o.PickImage = func(_ context.Context, engine string) (string, []string, error) {
		image, patches := providertest.NodeImage(t, engine)
		return image, patches, nil
	}
	p, err := kind.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{provider: p, suite: filepath.Join(t.TempDir(), "suite"), cache: t.TempDir()}
	if err := os.CopyFS(w.suite, os.DirFS("testdata/suite")); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() { w.program = compileMember(t) })
	all.Go(func() { w.chart = archive(t, os.DirFS("testdata/chart"), "member/") })
	w.cluster, err = p.Ensure(t.Context())
	all.Wait()
	if err != nil || t.Failed() {
		t.Fatal(err)
	}
	return w
}

func compileMember(t *testing.T) []byte {
	file := filepath.Join(t.TempDir(), "member")
	err := proc.Cmd{
		Args: []string{"go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, "testdata/member/main.go"},
		Env:  []string{"CGO_ENABLED=0", "GOOS=linux"},
	}.Run(t.Context())
	if err != nil {
		t.Error(err)
		return nil
	}
	program, err := os.ReadFile(file)
	if err != nil {
		t.Error(err)
	}
	return program
}

// archive makes a .tgz with the files below a prefix.
func archive(t *testing.T, files fs.FS, prefix string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		return addFile(w, prefix+name, data)
	})
	if err != nil || w.Close() != nil || z.Close() != nil {
		t.Error(err)
	}
	return b.Bytes()
}

func addFile(w *tar.Writer, name string, data []byte) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}

// member makes a bundle of a service that answers "NAME VERSION salt" unless
// another answer is given.
func (w *world) member(t *testing.T, name, version, salt string, values map[string]any) Member {
	t.Helper()
	return w.answering(t, name, version, fmt.Sprintf("%s %s %s", name, version, salt), values)
}

func (w *world) answering(t *testing.T, name, version, answer string, values map[string]any) Member {
	t.Helper()
	image := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	image, err := mutate.AppendLayers(image, layer(t, "member", w.program), layer(t, "answer", []byte(answer)))
	if err != nil {
		t.Fatal(err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", runtime.GOARCH
	file.Config.Entrypoint, file.Config.User = []string{"/member"}, "65532:65532"
	if image, err = mutate.ConfigFile(image, file); err != nil {
		t.Fatal(err)
	}
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
		mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: runtime.GOARCH}}})
	dir := t.TempDir()
	path, err := layout.Write(dir, empty.Index)
	if err == nil {
		err = path.AppendIndex(index)
	}
	if err != nil {
		t.Fatal(err)
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return Member{Name: name, Version: version, Bundle: evidence.Digest(digest.String()), Layout: dir, Chart: w.chart, Values: values}
}

// layer is one file, not compressed: that would take longer than the tests.
func layer(t *testing.T, name string, data []byte) v1.Layer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := addFile(w, name, data); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return static.NewLayer(b.Bytes(), types.OCIUncompressedLayer)
}

// options are those of a combination of the members.
func (w *world) options(t *testing.T, members ...Member) Options {
	t.Helper()
	sources := source.Open(w.suite)
	suite, err := SuiteDigest(t.Context(), sources)
	if err != nil {
		t.Fatal(err)
	}
	id := string(suite)
	for _, m := range members {
		id += " " + m.Name + " " + string(m.Bundle)
	}
	return Options{
		System: "shop", ID: evidence.Sum([]byte(id)), Members: members, Dir: w.suite, Suite: suite, Sources: sources,
		Provider: w.provider, Kubernetes: w.cluster.Version, Cache: w.cache,
	}
}
