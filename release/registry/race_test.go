package registry

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
)

func twoAtOnce(t *testing.T, ref string) {
	for i := range 5 {
		at := fmt.Sprintf("%s-%d", ref, i)
		group, ctx := errgroup.WithContext(t.Context())
		bundles := map[string]bundle{"1.4.2": aBundle(t, "1.4.2"), "1.4.3": aBundle(t, "1.4.3"), "1.5.0": aBundle(t, "1.5.0")}
		for version, b := range bundles {
			to := open(t, at, repository.Options{})
			group.Go(func() error {
				if err := Push(ctx, to, b, b.Digest()); err != nil {
					return err
				}
				return Tag(ctx, to, b.Digest(), version)
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		tags := tagsOf(t, at)
		if tags["1.4"] != bundles["1.4.3"].Digest() || tags["1"] != bundles["1.5.0"].Digest() || tags["1.5"] != bundles["1.5.0"].Digest() || len(tags) != 6 {
			t.Errorf("tags: %v", tags)
		}
	}
}

// overtaken lets a higher version be released between the look and the write
// of a lower one's moving tags.
func overtaken(t *testing.T, ref string) {
	low, high := aBundle(t, "1.4.2"), aBundle(t, "1.4.3")
	for _, at := range []string{"1.4", "1"} {
		done, ref := false, ref+"-"+at
		err := release(t, ref, low, "1.4.2", func(e repository.Effect, after bool) error {
			if after || done || !strings.HasSuffix(e.Target, ":"+at) {
				return nil
			}
			done = true
			return release(t, ref, high, "1.4.3", nil)
		})
		if err != nil || !done {
			t.Fatalf("overtaken: %v, %v", done, err)
		}
		want := map[string]evidence.Digest{"1.4.2": low.Digest(), "1.4.3": high.Digest(), "1.4": high.Digest(), "1": high.Digest()}
		if diff := cmp.Diff(want, tagsOf(t, ref)); diff != "" {
			t.Errorf("overtaken at %s (-want +got):\n%s", at, diff)
		}
	}
}

func killedAtAnyPoint(t *testing.T, ref string, step int) {
	for stop := 1; ; stop += step {
		at := fmt.Sprintf("%s-%d", ref, stop)
		b := bundleOn(t, at, "1.4.2")
		killed := recorder{stop: stop}
		err := release(t, at, b, "1.4.2", killed.journal)
		if err == nil && killed.calls < stop {
			if stop < 2*12 {
				t.Errorf("only %d points", stop-1)
			}
			return // there is no such point any more
		}
		if !errors.Is(err, errStopped) {
			t.Fatalf("stopped at %d: %v", stop, err)
		}
		if err := release(t, at, b, "1.4.2", nil); err != nil {
			t.Fatalf("stopped at %d, run again: %v", stop, err)
		}
		want := map[string]evidence.Digest{"1.4.2": b.Digest(), "1.4": b.Digest(), "1": b.Digest()}
		wantChart := map[string]evidence.Digest{"1.4.2": b.chart}
		if diff := cmp.Diff(want, tagsOf(t, at)) + cmp.Diff(wantChart, tagsOf(t, at+"/charts/stock")); diff != "" {
			t.Errorf("stopped at %d (-want +got):\n%s", stop, diff)
		}
	}
}

// Nothing that the layout does not vouch for reaches a registry.
func TestDamagedLayouts(t *testing.T) {
	t.Parallel()
	if _, err := OpenLayout(t.TempDir()); err == nil || !strings.Contains(err.Error(), "run the container stage") {
		t.Errorf("no layout: %v", err)
	}
	for _, what := range []string{"missing", "changed", "longer"} {
		b := bundleOn(t, what, "1.0.0")
		entries, err := os.ReadDir(filepath.Join(b.dir, "blobs", "sha256"))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			name := filepath.Join(b.dir, "blobs", "sha256", e.Name())
			good, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			damage(t, name, what, good)
			to := open(t, ours(t)+"/stock", repository.Options{})
			err = Push(t.Context(), to, b, b.Digest())
			if err == nil || what == "longer" && !strings.Contains(err.Error(), "run the container stage again") {
				t.Errorf("%s %s: %v", what, e.Name(), err)
			}
			if there, err := to.Head(t.Context(), string(b.Digest())); err != nil || there != "" {
				t.Errorf("%s %s: %s, %v", what, e.Name(), there, err)
			}
			if err := os.WriteFile(name, good, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func damage(t *testing.T, name, what string, good []byte) {
	t.Helper()
	var err error
	switch bad := []byte(string(good)); what {
	case "missing":
		err = os.Remove(name)
	case "changed":
		bad[len(bad)/2] ^= 1
		err = os.WriteFile(name, bad, 0o644)
	case "longer":
		err = os.WriteFile(name, append(bad, 'x'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
