package bundle_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"gitlab.com/selfcontained/pipeline/pipeline/bundle"
	"gitlab.com/selfcontained/pipeline/pipeline/bundle/bundletest"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/registrytest"
	"gitlab.com/selfcontained/pipeline/release/registry"
)

// check reads a layout by two libraries: all that the bundle has is there.
func check(t *testing.T, made *bundletest.Bundle, dir string) {
	t.Helper()
	opened, err := registry.OpenLayout(dir)
	if err != nil {
		t.Fatal(err)
	}
	if opened.Digest() != made.Digest {
		t.Errorf("the layout is of %s; expected %s", opened.Digest(), made.Digest)
	}
	path, err := layout.FromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	for digest, data := range made.Blobs {
		got, err := path.Bytes(v1.Hash{Algorithm: "sha256", Hex: digest.Hex()})
		if err != nil || string(got) != string(data) {
			t.Errorf("blob %s is %q (%v); expected %q", digest, got, err, data)
		}
	}
	for _, m := range made.Manifests {
		got, err := opened.Manifest(t.Context(), string(m.Digest()))
		if err != nil || got == nil || string(got.Raw) != string(m.Raw) {
			t.Errorf("manifest %s: %v", m.Digest(), err)
		}
	}
}

// counted counts what is read of a source.
type counted struct {
	bundle.Source
	blobs atomic.Int64
}

func (c *counted) Layer(ctx context.Context, desc v1.Descriptor) (v1.Layer, error) {
	c.blobs.Add(1)
	return c.Source.Layer(ctx, desc)
}

func TestFetch(t *testing.T) {
	t.Parallel()
	made := bundletest.New(shop())
	repo := open(t, registrytest.InProcess(t, true))
	made.Push(t, repo)
	src := &counted{Source: repo}
	dir := filepath.Join(t.TempDir(), "layouts", "cart")
	fetch := func() int64 {
		t.Helper()
		before := src.blobs.Load()
		if err := bundle.Fetch(t.Context(), src, made.Digest, dir); err != nil {
			t.Fatal(err)
		}
		check(t, made, dir)
		return src.blobs.Load() - before
	}
	if n := fetch(); n != int64(len(made.Blobs)) {
		t.Errorf("%d blobs were read; expected %d", n, len(made.Blobs))
	}
	if n := fetch(); n != 0 {
		t.Errorf("%d blobs were read although the layout is complete", n)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(dir), ".layout-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

// Another version of the service has the base's layer from the disk.
func TestFetchShares(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, spec := bundletest.New(shop()), shop()
	spec.Version = "1.2.4"
	second := bundletest.New(spec)
	if err := bundle.Fetch(t.Context(), first, first.Digest, filepath.Join(dir, "1")); err != nil {
		t.Fatal(err)
	}
	src := &counted{Source: second}
	if err := bundle.Fetch(t.Context(), src, second.Digest, filepath.Join(dir, "2")); err != nil {
		t.Fatal(err)
	}
	check(t, second, filepath.Join(dir, "2"))
	if n := src.blobs.Load(); n != 4 {
		t.Errorf("%d blobs were read; expected the programs and the configurations of 2 images", n)
	}
	base := "blobs/sha256/" + evidence.Sum([]byte("base")).Hex()
	a, err1 := os.Stat(filepath.Join(dir, "1", base))
	b, err2 := os.Stat(filepath.Join(dir, "2", base))
	if err := errors.Join(err1, err2); err != nil || !os.SameFile(a, b) {
		t.Errorf("the base's layer lies there twice (%v)", err)
	}
}

// Whatever was done to a layout, fetching mends it.
func TestFetchMends(t *testing.T) {
	t.Parallel()
	made := bundletest.New(shop())
	blob := "blobs/sha256/" + evidence.Sum([]byte("base")).Hex()
	manifest := "blobs/sha256/" + made.Manifests[0].Digest().Hex()
	for name, damage := range map[string]func(dir string) error{
		"no blob":          func(dir string) error { return os.Remove(filepath.Join(dir, blob)) },
		"a short blob":     func(dir string) error { return rewrite(filepath.Join(dir, blob), "ba") },
		"another manifest": func(dir string) error { return rewrite(filepath.Join(dir, manifest), "{}") },
		"no index":         func(dir string) error { return os.Remove(filepath.Join(dir, "index.json")) },
		"no marker":        func(dir string) error { return os.Remove(filepath.Join(dir, "oci-layout")) },
		"an empty folder":  func(dir string) error { return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)) },
		"damaged shared blob": func(dir string) error {
			return errors.Join(os.RemoveAll(dir), rewrite(filepath.Join(dir, "..", bundle.SharedBlobs, evidence.Sum([]byte("base")).Hex()), "esab"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "cart")
			if err := bundle.Fetch(t.Context(), made, made.Digest, dir); err != nil {
				t.Fatal(err)
			}
			if err := damage(dir); err != nil {
				t.Fatal(err)
			}
			if err := bundle.Fetch(t.Context(), made, made.Digest, dir); err != nil {
				t.Fatal(err)
			}
			check(t, made, dir)
		})
	}
}

// rewrite replaces a file that cannot be written to.
func rewrite(name, content string) error {
	return errors.Join(os.Remove(name), os.WriteFile(name, []byte(content), 0o444))
}

func TestFetchAtOnce(t *testing.T) {
	t.Parallel()
	made := bundletest.New(shop())
	dir := filepath.Join(t.TempDir(), "cart")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if err := bundle.Fetch(t.Context(), made, made.Digest, dir); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	check(t, made, dir)
}

// Of a bundle that cannot be had whole nothing appears.
func TestFetchRefuses(t *testing.T) {
	t.Parallel()
	made := bundletest.New(shop())
	other := v1.Hash{Algorithm: "sha256", Hex: evidence.Sum([]byte("base")).Hex()}
	huge := rewritten(func(x *v1.IndexManifest) {
		for range 600 {
			x.Manifests = append(x.Manifests, v1.Descriptor{
				MediaType: x.Manifests[0].MediaType, Size: 2,
				Digest: v1.Hash{Algorithm: "sha256", Hex: evidence.Sum([]byte{byte(len(x.Manifests)), byte(len(x.Manifests) >> 8)}).Hex()},
			})
		}
	})
	for name, c := range map[string]struct {
		src bundle.Source
		of  evidence.Digest
	}{
		"another blob":   {changed{Bundle: made, blob: func(d v1.Descriptor) v1.Descriptor { d.Digest = other; return d }}, made.Digest},
		"no blob":        {changed{Bundle: made, blob: func(v1.Descriptor) v1.Descriptor { return v1.Descriptor{} }}, made.Digest},
		"too many":       {huge, huge.Digest},
		"no such bundle": {made, evidence.Sum(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "cart")
			err := bundle.Fetch(t.Context(), c.src, c.of, dir)
			if err == nil {
				t.Error("fetched")
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("there is a layout: %v", err)
			}
		})
	}
}

// The hostile registry is asked for a blob and sends another one.
func TestFetchNamesDamage(t *testing.T) {
	t.Parallel()
	made := bundletest.New(bundletest.Spec{Name: "cart", Version: "1.0.0"})
	src := changed{Bundle: made, blob: func(d v1.Descriptor) v1.Descriptor {
		if d.Digest.Hex == evidence.Sum([]byte("base")).Hex() {
			d.Digest.Hex = evidence.Sum([]byte("{}")).Hex()
		}
		return d
	}}
	err := bundle.Fetch(t.Context(), src, made.Digest, filepath.Join(t.TempDir(), "cart"))
	var broken *bundle.Broken
	if !errors.As(err, &broken) || cmp.Diff(evidence.Sum([]byte("base")), broken.Digest) != "" {
		t.Errorf("%v; expected a broken blob", err)
	}
}
