package container_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/container"
)

// imageOf makes an image with one layer that holds the given files.
func imageOf(t *testing.T, arch string, files map[string]string) v1.Image {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for name, content := range files {
		h := &tar.Header{Name: name, Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}
		if strings.HasSuffix(name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		t.Fatal(err)
	}
	img, err = mutate.ConfigFile(img, &v1.ConfigFile{
		OS: "linux", Architecture: arch, RootFS: rootFS(t, img),
		Config: v1.Config{Env: []string{"PATH=/base/bin", "Z=1"}, Labels: map[string]string{"gone": "yes"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func rootFS(t *testing.T, img v1.Image) v1.RootFS {
	t.Helper()
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return c.RootFS
}

func indexOf(t *testing.T, files map[string]string, arches ...string) v1.ImageIndex {
	t.Helper()
	index := v1.ImageIndex(empty.Index)
	for _, arch := range arches {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: imageOf(t, arch, files)})
	}
	return index
}

func TestBaseFromLayout(t *testing.T) {
	t.Parallel()
	dir, service := shop(t)
	files := map[string]string{"srv/": "", "bin/sh": "shell"}
	if _, err := layout.Write(filepath.Join(dir, "base"), indexOf(t, files, "amd64", "arm64")); err != nil {
		t.Fatal(err)
	}
	service.Image.Base = "base"
	_, out := mustRun(t, service, two(t))
	index, m := open(t, out)
	img, err := index.Image(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(img); err != nil {
		t.Error(err)
	}
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(c.Config.Env, " "), "A=1 B=2 PATH=/base/bin Z=1"; got != want {
		t.Errorf("environment %q, want %q", got, want)
	}
	if c.Config.Labels["gone"] != "" {
		t.Error("a label of the base is kept")
	}
	if got := len(layersOf(t, out)[0]); got != 4 {
		t.Errorf("%d layers, want base, /data, files, program", got)
	}
	names := entries(t, img, 2)
	if strings.Contains(names, "srv/ ") || !strings.Contains(names, "srv/web/ ") {
		t.Errorf("files layer has %s; a folder of the base must not come again", names)
	}
}

// entries returns the names in a layer, separated by spaces.
func entries(t *testing.T, img v1.Image, i int) string {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	r, err := layers[i].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var names []string
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return " " + strings.Join(names, " ") + " "
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
}

func TestBaseWithoutPlatform(t *testing.T) {
	t.Parallel()
	dir, service := shop(t)
	if _, err := layout.Write(filepath.Join(dir, "base"), indexOf(t, map[string]string{"a": "b"}, "amd64")); err != nil {
		t.Fatal(err)
	}
	service.Image.Base = "base"
	_, err := run(t, service, two(t))
	if want := "base has no image for linux/arm64"; !strings.Contains(cause(err), want) {
		t.Errorf("got %v\n%s\nwant %q", err, cause(err), want)
	}
}

func TestBaseWithSecret(t *testing.T) {
	t.Parallel()
	dir, service := shop(t)
	files := map[string]string{"root/.docker/config.json": `{"auths":{"x":{"auth":"eA=="}}}`}
	if _, err := layout.Write(filepath.Join(dir, "base"), indexOf(t, files, "amd64", "arm64")); err != nil {
		t.Fatal(err)
	}
	service.Image.Base = "base"
	_, err := run(t, service, two(t))
	if want := "/root/.docker/config.json: credentials of docker"; !strings.Contains(cause(err), want) {
		t.Errorf("got %v\n%s", err, cause(err))
	}
}

// serve starts a registry with an image of two platforms at base:1.
func serve(t *testing.T) (host string, digest v1.Hash) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host = strings.TrimPrefix(server.URL, "http://")
	index := indexOf(t, map[string]string{"bin/sh": "shell"}, "amd64", "arm64")
	tag, err := name.NewTag(host + "/base:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(tag, index); err != nil {
		t.Fatal(err)
	}
	digest, err = index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return host, digest
}

func TestBaseFromRegistry(t *testing.T) {
	t.Parallel()
	host, digest := serve(t)
	_, service := shop(t)
	service.Image.Base = host + "/base:1"
	var text bytes.Buffer
	job, err := runLogged(t, service, two(t), &text)
	if err != nil {
		t.Fatal(err)
	}
	pinned := host + "/base@" + digest.String()
	if got := job.Findings.Facts["base"]; got != pinned {
		t.Errorf("fact base is %q, want %q", got, pinned)
	}
	if !strings.Contains(text.String(), "pin it: "+pinned) {
		t.Errorf("log:\n%s", &text)
	}
	byTag, err := container.ReadBundle(job.Out)
	if err != nil {
		t.Fatal(err)
	}
	service.Image.Base = pinned
	byDigest, _ := mustRun(t, service, two(t))
	if byTag.Digest != byDigest.Digest {
		t.Error("the bundle depends on how the base is named")
	}
}

func TestBaseThatIsNotThere(t *testing.T) {
	t.Parallel()
	host, _ := serve(t)
	_, service := shop(t)
	service.Image.Base = host + "/base:2"
	_, err := run(t, service, two(t))
	if want := "is not in the registry"; !strings.Contains(cause(err), want) {
		t.Errorf("got %v\n%s", err, cause(err))
	}
}

func TestBaseBehindAnError(t *testing.T) {
	t.Parallel()
	for status, transient := range map[int]bool{http.StatusForbidden: false, http.StatusTeapot: true} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) }))
		defer server.Close()
		_, service := shop(t)
		service.Image.Base = strings.TrimPrefix(server.URL, "http://") + "/base:1"
		_, err := run(t, service, two(t))
		var untested *pipeline.NotTested
		if !errors.As(err, &untested) || untested.Transient != transient || untested.Remedy == "" {
			t.Errorf("status %d: got %#v", status, err)
		}
	}
}
