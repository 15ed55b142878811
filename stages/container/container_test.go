package container_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/container"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestBundleIsValid(t *testing.T) {
	t.Parallel()
	_, service := shop(t)
	bundle, out := mustRun(t, service, two(t))
	index, m := open(t, out)
	images := 0
	for _, desc := range m.Manifests {
		if desc.Annotations[container.RoleAnnotation] != "" {
			if got := desc.Platform.String(); got != "unknown/unknown" {
				t.Errorf("%v has platform %s", desc.Annotations, got)
			}
			continue
		}
		img, err := index.Image(desc.Digest)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Image(img); err != nil {
			t.Errorf("image %s: %v", desc.Platform, err)
		}
		if bundle.Images[images].Digest.Hex() != desc.Digest.Hex {
			t.Errorf("bundle.json names %s, index %s", bundle.Images[images].Digest, desc.Digest)
		}
		images++
	}
	if images != 2 || len(bundle.Images) != 2 {
		t.Errorf("%d images in the index, %d in bundle.json; expected 2", images, len(bundle.Images))
	}
	if d, err := index.Digest(); err != nil || d.String() != string(bundle.Digest) {
		t.Errorf("index is %s, bundle.json says %s (%v)", d, bundle.Digest, err)
	}
	checkBlobs(t, out, bundle)
}

// checkBlobs checks that every blob has the digest that it is named by, and
// that nothing lies around.
func checkBlobs(t *testing.T, out string, bundle *container.Bundle) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(out, "oci"), func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		switch base := d.Name(); base {
		case "index.json", "oci-layout":
		default:
			if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != base {
				t.Errorf("%s does not hash to its name", name)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for _, d := range []string{bundle.Chart.Hex(), bundle.API.Hex(), bundle.SBOM.Hex()} {
		if _, err := os.Stat(filepath.Join(out, "oci", "blobs", "sha256", d)); err != nil {
			t.Error(err)
		}
	}
}

// TestDigestDependsOnContentAlone builds in two folders, with files of other
// times and modes.
func TestDigestDependsOnContentAlone(t *testing.T) {
	t.Parallel()
	_, service := shop(t)
	first, _ := mustRun(t, service, two(t))
	dir, other := shop(t)
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if err := os.Chmod(name, 0o600); err != nil {
			return err
		}
		return os.Chtimes(name, time.Unix(1e9, 0), time.Unix(1e9, 0))
	})
	if err != nil {
		t.Fatal(err)
	}
	second, _ := mustRun(t, other, two(t))
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("two builds of the same content differ (-first +second):\n%s", diff)
	}
}

// TestUmask cannot be parallel: the umask belongs to the process.
func TestUmask(t *testing.T) {
	_, service := shop(t)
	build := two(t)
	first, _ := mustRun(t, service, build)
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	second, _ := mustRun(t, service, build)
	if first.Digest != second.Digest {
		t.Errorf("the umask changes the digest: %s, %s", first.Digest, second.Digest)
	}
}

func layersOf(t *testing.T, out string) [][]string {
	t.Helper()
	index, m := open(t, out)
	var all [][]string
	for _, desc := range m.Manifests {
		if desc.Annotations[container.RoleAnnotation] != "" {
			continue
		}
		img, err := index.Image(desc.Digest)
		if err != nil {
			t.Fatal(err)
		}
		im, err := img.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		var digests []string
		for _, l := range im.Layers {
			digests = append(digests, l.Digest.String())
		}
		all = append(all, digests)
	}
	return all
}

func TestOneFileChangesOneLayer(t *testing.T) {
	t.Parallel()
	dir, service := shop(t)
	before, out1 := mustRun(t, service, two(t))
	write(t, filepath.Join(dir, "web/index.html"), "<h1>new</h1>")
	after, out2 := mustRun(t, service, two(t))
	a, b := layersOf(t, out1), layersOf(t, out2)
	for i := range a {
		for l := range a[i] {
			if changed := a[i][l] != b[i][l]; changed != (l == 1) {
				t.Errorf("image %d, layer %d: changed = %v", i, l, changed)
			}
		}
	}
	if before.Chart != after.Chart || before.SBOM != after.SBOM || before.API != after.API {
		t.Error("chart, api or sbom changed with a file of the image")
	}
}

// TestGolden pins the bytes: a change here needs a new recipe version.
func TestGolden(t *testing.T) {
	t.Parallel()
	_, service := shop(t)
	_, out := mustRun(t, service, two(t))
	index, m := open(t, out)
	var got bytes.Buffer
	section(&got, "index", raw(t, index))
	for _, desc := range m.Manifests {
		img, err := index.Image(desc.Digest)
		if err != nil {
			t.Fatal(err)
		}
		section(&got, "manifest "+desc.Digest.String(), raw(t, img))
		config, err := img.RawConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		section(&got, "config", config)
	}
	sbom, err := os.ReadFile(filepath.Join(out, "sbom.cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	section(&got, "sbom", sbom)
	golden(t, "bundle.golden", got.Bytes())
}

func raw(t *testing.T, v interface{ RawManifest() ([]byte, error) }) []byte {
	t.Helper()
	data, err := v.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func section(w *bytes.Buffer, title string, doc []byte) {
	w.WriteString("== " + title + "\n")
	if json.Indent(w, doc, "", "  ") != nil {
		w.Write(doc)
	}
	w.WriteString("\n")
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		write(t, name, string(got))
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; -update rewrites it):\n%s", name, diff)
	}
}

func TestFindings(t *testing.T) {
	t.Parallel()
	_, service := shop(t)
	var log bytes.Buffer
	job, err := runLogged(t, service, two(t), &log)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := container.ReadBundle(job.Out)
	if err != nil {
		t.Fatal(err)
	}
	if want := "sha256:" + bundle.Digest.Short() + ", 0.1 MB, 2 platforms"; job.Findings.Summary != want {
		t.Errorf("summary %q, want %q", job.Findings.Summary, want)
	}
	var size int64
	for _, l := range job.Findings.Layers {
		if l.Platform == bundle.Images[0].Platform {
			size += l.Size
		}
	}
	if rest := bundle.Images[0].Size - size; rest <= 0 || rest > 10_000 {
		t.Errorf("%+v: the image has %d bytes, its configuration would be %d of these", job.Findings.Layers, bundle.Images[0].Size, rest)
	}
	if got := job.Findings.Facts["bundle"]; got != string(bundle.Digest) {
		t.Errorf("fact bundle is %q", got)
	}
	if !strings.Contains(log.String(), "linux/arm64") {
		t.Errorf("log:\n%s", &log)
	}
}

func TestLibraryIsNotApplicable(t *testing.T) {
	t.Parallel()
	_, service := shop(t)
	service.Main = ""
	_, err := run(t, service, "")
	var none *pipeline.NotApplicable
	if !errors.As(err, &none) {
		t.Errorf("got %v", err)
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	_, service := shop(t)
	node := &pipeline.Node{Name: "shop/container", Service: "shop", Kind: "container"}
	job := pipeline.NewJob(node, "run", service.Dir, t.TempDir(), t.TempDir(), t.TempDir(), io.Discard,
		map[string]string{"shop/build": two(t)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := container.New(container.Options{Service: service, Version: "1.2.3"}).Run(ctx, job)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
