package cli

import (
	"os/exec"
	"path/filepath"
	"testing"

	"gitlab.com/selfcontained/pipeline/pipeline/config"
)

func TestReference(t *testing.T) {
	root := t.TempDir()
	if out, err := exec.Command("git", "init", "-q", root).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, c := range map[string]struct {
		flag, configured, dir, image, want string
	}{
		"none":                     {"", "", root, "", ""},
		"configured":               {"", "r.example.com/shop/stock", root, "", "r.example.com/shop/stock"},
		"configured for all":       {"", "r.example.com/shop/", root, "", "r.example.com/shop/stock"},
		"the flag goes first":      {"localhost:5000/x", "r.example.com/shop/stock", root, "", "localhost:5000/x"},
		"a job":                    {"", "", root, "r.example.com/group/stock", "r.example.com/group/stock"},
		"a job of several":         {"", "", filepath.Join(root, "stock"), "r.example.com/group/shop", "r.example.com/group/shop/stock"},
		"a job that is configured": {"", "r.example.com/shop/stock", root, "r.example.com/group/stock", "r.example.com/shop/stock"},
	} {
		t.Setenv("GITLAB_CI", "true")
		t.Setenv("CI_REGISTRY_IMAGE", c.image)
		svc := &service{Service: &config.Service{Name: "stock", Dir: c.dir, Release: config.Release{Registry: c.configured}}}
		if got := (&releaseFlags{registry: c.flag}).reference(svc); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
