package release_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/gitlab"
)

func fileAsset(name, content string) gitlab.Asset {
	return gitlab.Asset{Package: "stock", Version: "1.2.0", Name: name, Content: []byte(content), SHA256: evidence.Sum([]byte(content)).Hex()}
}

// The files of a release are written once, whole, and never over others.
func TestFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "folder")
	p := &release.Plan{
		Draft: &release.Draft{Service: "stock", Version: "1.2.0"}, Folder: dir,
		Assets: []gitlab.Asset{fileAsset("stock-1.2.0.tgz", "chart"), fileAsset("stock-1.2.0.sha256", "sums")},
	}
	apply := func() ([]release.State, error) {
		states, err := release.Check(t.Context(), p.Steps())
		if err == nil {
			err = release.Apply(t.Context(), p.Steps(), func(release.Step, bool) {})
		}
		return states, err
	}
	if states, err := apply(); err != nil || len(states) != 1 || states[0].There {
		t.Fatalf("%+v, %v", states, err)
	}
	if err := os.Remove(filepath.Join(dir, "stock-1.2.0.tgz")); err != nil {
		t.Fatal(err)
	}
	if states, err := apply(); err != nil || states[0].There {
		t.Errorf("one file is gone: %+v, %v", states, err)
	}
	if states, err := apply(); err != nil || !states[0].There {
		t.Errorf("the third time: %+v, %v", states, err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "stock-1.2.0.tgz")); string(data) != "chart" {
		t.Errorf("%q, %v", data, err)
	}
	if there, err := os.ReadDir(dir); len(there) != 2 {
		t.Errorf("%v, %v", there, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "stock-1.2.0.sha256"), []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	var taken *release.FileTakenError
	if _, err := apply(); !errors.As(err, &taken) {
		t.Errorf("another file of this name: %v", err)
	}
	if data, _ := os.ReadFile(filepath.Join(dir, "stock-1.2.0.sha256")); string(data) != "other" {
		t.Errorf("it was replaced by %q", data)
	}
}
