//go:build cluster

package existing

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/kindtest/kind"
	"gitlab.com/selfcontained/pipeline/kindtest/providertest"
)

// TestConformance attaches to a cluster that kind made: to its nodes images are
// given directly.
func TestConformance(t *testing.T) {
	o := kind.Options{Cluster: os.Getenv("PIPELINE_TEST_CLUSTER"), Image: os.Getenv("PIPELINE_TEST_NODE_IMAGE_REF")}
	own := o.Cluster == ""
	if own {
		random := make([]byte, 3)
		_, _ = rand.Read(random)
		o.Cluster, o.CacheDir = "kt-"+hex.EncodeToString(random), t.TempDir()
	}
	k, err := kind.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if own {
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := k.Delete(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	c, err := k.Ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	providertest.Run(t, newTest(t, Options{Kubeconfig: c.Kubeconfig}))
}
