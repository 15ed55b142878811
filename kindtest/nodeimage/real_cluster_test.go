//go:build cluster

package nodeimage_test

import (
	"os"
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/kindtest/nodeimage"
)

// TestRealBuild builds the image with everything that belongs to it, which
// takes a quarter of an hour on a machine that has never done so, and no time
// where the image is there.
func TestRealBuild(t *testing.T) {
	engine := os.Getenv("PIPELINE_TEST_ENGINE") // docker, unless it says podman
	if engine == "" {
		engine = "docker"
	}
	o := nodeimage.Options{
		Engine: engine,
		Log:    testLog{t},
		Progress: func(step string, done bool, took time.Duration) {
			if done {
				t.Logf("%-30s %.1f s", step, took.Seconds())
			}
		},
	}
	ref, err := nodeimage.Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if there, err := nodeimage.Present(t.Context(), engine); err != nil || !there {
		t.Fatalf("Present after Build = %v, %v", there, err)
	}
	t.Log(ref)
	if file := os.Getenv("PIPELINE_TEST_KIND_CONFIG"); file != "" {
		if err := os.WriteFile(file, []byte(nodeimage.ClusterConfig(true)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Logf("%s", p)
	return len(p), nil
}
