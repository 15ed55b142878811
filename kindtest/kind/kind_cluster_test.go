//go:build cluster

package kind

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/kindtest/providertest"
)

// sharedOptions describe the cluster that all runs on this machine share, which
// is made when it is not there and stays; $PIPELINE_TEST_CLUSTER names another.
// Only leases are taken in it.
func sharedOptions(t *testing.T) Options {
	t.Helper()
	o := Options{Cluster: os.Getenv("PIPELINE_TEST_CLUSTER"), CacheDir: os.Getenv("PIPELINE_CACHE"), Engine: providertest.Engine(t, "docker", "podman"), Log: testLog{t}}
	o.PickImage = func(_ context.Context, engine string) (string, []string, error) {
		image, patches := providertest.NodeImage(t, engine)
		return image, patches, nil
	}
	return o
}

// ownOptions describe a cluster of the test's own that is deleted at its end.
func ownOptions(t *testing.T, engines ...string) Options {
	t.Helper()
	random := make([]byte, 3)
	_, _ = rand.Read(random)
	o := Options{Engine: providertest.Engine(t, engines...), Cluster: "kt-" + hex.EncodeToString(random), CacheDir: t.TempDir(), Log: testLog{t}}
	o.Image, o.Patches = providertest.NodeImage(t, o.Engine)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := open(t, o).Delete(ctx); err != nil {
			t.Error(err)
		}
	})
	return o
}

type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) { l.t.Logf("%s", p); return len(p), nil }

func TestConformance(t *testing.T) {
	t.Parallel()
	p := open(t, sharedOptions(t))
	t.Run("provider", func(t *testing.T) { t.Parallel(); providertest.Run(t, p) })
	t.Run("leases", func(t *testing.T) { t.Parallel(); providertest.RunLeases(t, p) })
}

// TestPodman runs the conformance suite on a cluster of podman's, made and
// deleted by the test.
func TestPodman(t *testing.T) {
	t.Parallel()
	o := ownOptions(t, "podman")
	p := open(t, o)
	providertest.Run(t, p)
	begin := time.Now()
	if err := p.Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("Delete: %s", time.Since(begin).Round(time.Millisecond))
	e, err := p.engine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checkNodes(t, e, o.Cluster, 0)
}
