//go:build cluster

package existing

import (
	"context"
	"os"
	"testing"

	"gitlab.com/selfcontained/pipeline/kindtest/kind"
	"gitlab.com/selfcontained/pipeline/kindtest/providertest"
)

// TestConformance attaches to a cluster that kind made, to whose nodes images
// are given directly. It is the one that all runs on this machine share.
func TestConformance(t *testing.T) {
	k, err := kind.New(kind.Options{
		Cluster: os.Getenv("PIPELINE_TEST_CLUSTER"), CacheDir: os.Getenv("PIPELINE_CACHE"), Engine: providertest.Engine(t, "docker", "podman"),
		PickImage: func(_ context.Context, engine string) (string, []string, error) {
			image, patches := providertest.NodeImage(t, engine)
			return image, patches, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := k.Ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	providertest.Run(t, newTest(t, Options{Kubeconfig: c.Kubeconfig}))
}
