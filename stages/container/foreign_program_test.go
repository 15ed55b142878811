package container_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Programs for other systems are no part of the bundle: it is the same with and
// without them.
func TestProgramsForOtherSystems(t *testing.T) {
	t.Parallel()
	_, service := shop(t)
	want, _ := mustRun(t, service, two(t))
	got, _ := mustRun(t, service, built(t, "shop", map[string]string{
		"linux/arm64": "an arm program", "linux/amd64": "an amd program", "darwin/arm64": "a program for macOS",
	}))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a program for macOS changes the bundle (-without +with):\n%s", diff)
	}
	_, err := run(t, service, built(t, "shop", map[string]string{"darwin/arm64": "a program for macOS"}))
	if err == nil || !strings.Contains(err.Error(), "no binary for Linux") {
		t.Errorf("a program for macOS alone: %v", err)
	}
}
