//go:build cluster

package acceptance

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"gitlab.com/selfcontained/pipeline/cmd/internal/scaffold"
)

// inCluster returns the stages that need the cluster which `pipeline cluster
// up` makes.
func inCluster() []string { return []string{"integration"} }

// TestNewService runs all stages in a new service.
func TestNewService(t *testing.T) {
	t.Parallel()
	r := initialised(t, "", scaffold.Options{Service: "zoo-keeper", Module: "zoo.example/long/zoo-keeper"})
	r.green(t, "build", "unit", "lint", "container", "module", "integration")
	r.passed(t, "zoo-keeper", "module", "TestGreetingsAreCounted")
	r.passed(t, "zoo-keeper", "integration", "TestNoGreetingIsLost")
	if err := filepath.WalkDir(r.dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && strings.Contains(name, "newservice") {
			t.Errorf("%s has the name of the template", name)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
