//go:build cluster

package templates

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestIntegrationJob runs the integration job, and what it needs, in the cluster
// that kind made on this machine's engine.
func TestIntegrationJob(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, tinyService, `
include:
  - local: templates/service/template.yml
    inputs: {cluster: kind}
`)
	got := c.run(nil, "--needs", "pipeline-integration")
	want := map[string]string{"pipeline-build": "PASS", "pipeline-container": "PASS", "pipeline-integration": "PASS"}
	if diff := cmp.Diff(want, got.jobs); diff != "" {
		t.Fatalf("%s\n%s", diff, got.text)
	}
	log := got.log("pipeline-integration")
	if !regexp.MustCompile(`(?s)build +up to date .*container +up to date .*integration +passed .* 1 test in kind-pipeline`).MatchString(log) {
		t.Errorf("the log of integration:\n%s", log)
	}
}
