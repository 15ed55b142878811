//go:build cluster

package module_test

import (
	"os"
	"slices"
	"testing"
)

// TestEveryRuntimeIsTested fails in CI when one of the runtimes is missing, and
// with it a part of TestBehaviour.
func TestEveryRuntimeIsTested(t *testing.T) {
	t.Parallel()
	there := runtimes(t)
	for _, name := range []string{"sandbox", "docker", "podman"} {
		if slices.Contains(there, name) {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Errorf("%s does not work here", name)
		} else {
			t.Skipf("%s does not work here", name)
		}
	}
}
