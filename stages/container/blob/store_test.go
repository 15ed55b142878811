package blob_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"gitlab.com/selfcontained/pipeline/stages/container/archive"
	"gitlab.com/selfcontained/pipeline/stages/container/blob"
)

func files(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestSameContentIsOneBlob(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := blob.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	one, err := store.Put("a/b", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := store.Put("a/c", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if one.Digest != two.Digest || one.Size != 1 || two.MediaType != "a/c" {
		t.Errorf("got %v and %v", one, two)
	}
	names := files(t, dir)
	if len(names) != 1 || names[0] != store.Path(one.Digest) {
		t.Errorf("files %v", names)
	}
	if info, err := os.Stat(names[0]); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestFailedLayerLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := blob.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	wrong := errors.New("wrong")
	_, err = store.Layer(func(a *archive.Writer) error {
		return errors.Join(a.Dir("a", 0o755, archive.Owner{}), wrong)
	})
	if !errors.Is(err, wrong) {
		t.Errorf("got %v", err)
	}
	if names := files(t, dir); len(names) > 0 {
		t.Errorf("files %v", names)
	}
}
