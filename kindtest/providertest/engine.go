package providertest

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/kindtest/nodeimage"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// Engine returns the first of the container engines that answers. When none
// does, the test is skipped, or fails where everything has to be there
// (CI=true).
func Engine(t testing.TB, candidates ...string) string {
	t.Helper()
	var errs []error
	for _, engine := range candidates {
		err := proc.Cmd{Args: []string{engine, "info"}}.Run(t.Context())
		if err == nil {
			return engine
		}
		errs = append(errs, err)
	}
	missing(t, "container engine "+strings.Join(candidates, " or "), errors.Join(errs...))
	return ""
}

// NodeImage returns the node image for clusters in the engine and the kubeadm
// patches that go with it: what $PIPELINE_TEST_NODE_IMAGE_REF names, else the
// image of package nodeimage, which is built when the engine does not have it.
// From nothing that takes a quarter of an hour, from the Go caches half a minute.
func NodeImage(t testing.TB, engine string) (ref string, patches []string) {
	t.Helper()
	if ref = os.Getenv("PIPELINE_TEST_NODE_IMAGE_REF"); ref != "" {
		return ref, nil
	}
	begin := time.Now()
	ref, err := nodeimage.Build(t.Context(), nodeimage.Options{Engine: engine})
	var host *nodeimage.HostError
	if errors.As(err, &host) {
		missing(t, "node image", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("node image %s in %s: %s", ref, engine, since(begin))
	return ref, nodeimage.ConfigPatches(true)
}

func missing(t testing.TB, what string, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: %v", what, err)
	}
	t.Skipf("%s is missing: %v", what, err)
}
