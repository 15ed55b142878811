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

// testOptions describe the cluster that the environment asks for: a shared one,
// or one of the test's own that is deleted at its end.
func testOptions(t *testing.T) Options {
	t.Helper()
	o := Options{Cluster: os.Getenv("PIPELINE_TEST_CLUSTER"), Image: os.Getenv("PIPELINE_TEST_NODE_IMAGE_REF"), Log: testLog{t}}
	if o.Cluster != "" {
		return o
	}
	random := make([]byte, 3)
	_, _ = rand.Read(random)
	o.Cluster, o.CacheDir = "kt-"+hex.EncodeToString(random), t.TempDir()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		p, err := New(o)
		if err == nil {
			err = p.Delete(ctx)
		}
		if err != nil {
			t.Error(err)
		}
	})
	return o
}

type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) { l.t.Logf("%s", p); return len(p), nil }

func TestConformance(t *testing.T) {
	p, err := New(testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	providertest.Run(t, p)
}
