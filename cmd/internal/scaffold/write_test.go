package scaffold_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/cmd/internal/scaffold"
)

// tree returns the content of all files below a folder, and its folders.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, name)
		switch {
		case d.IsDir():
			found[rel+"/"] = ""
		case d.Type()&fs.ModeSymlink != 0:
			found[rel], err = os.Readlink(name)
		default:
			data, readErr := os.ReadFile(name)
			found[rel], err = string(data), readErr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func files(paths ...string) *scaffold.Plan {
	p := &scaffold.Plan{}
	for _, name := range paths {
		p.Files = append(p.Files, scaffold.File{Path: name, Content: "new\n", Mode: 0o644})
	}
	return p
}

// TestAllOrNothing lets the last file of a plan fail in each way: what was there
// before must be there afterwards, and nothing else.
func TestAllOrNothing(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	for name, test := range map[string]struct {
		prepare func(dir string) error
		last    string
		is      error
	}{
		"a file came into being": {func(dir string) error { return os.WriteFile(filepath.Join(dir, "z"), []byte("old"), 0o600) }, "z", fs.ErrExist},
		"a folder has its name":  {func(dir string) error { return os.Mkdir(filepath.Join(dir, "z"), 0o755) }, "z", fs.ErrExist},
		"a file is in the way":   {func(dir string) error { return os.WriteFile(filepath.Join(dir, "z"), []byte("old"), 0o600) }, "z/y/x", nil},
		"a dangling link":        {func(dir string) error { return os.Symlink(filepath.Join(outside, "new"), filepath.Join(dir, "z")) }, "z", fs.ErrExist},
		"a link that leads out":  {func(dir string) error { return os.Symlink(outside, filepath.Join(dir, "z")) }, "z/y", nil},
		"a path that leads out":  {func(string) error { return nil }, "../z", nil},
		"an absolute path":       {func(string) error { return nil }, "/z", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "deep/own"), "mine")
			if err := test.prepare(dir); err != nil {
				t.Fatal(err)
			}
			before := tree(t, dir)
			err := scaffold.Write(files("a", "deep/er/b", "deep/c", test.last), dir)
			if err == nil || test.is != nil && !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.last) {
				t.Errorf("error %v, want one that names %s and is %v", err, test.last, test.is)
			}
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("the folder has changed (-before +after):\n%s", diff)
			}
		})
	}
	if left := tree(t, outside); len(left) > 0 {
		t.Errorf("written outside of the folder: %v", left)
	}
}

// TestDiffApplies gives the diff of a whole service to git.
func TestDiffApplies(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("git is missing")
	}
	written, applied := t.TempDir(), t.TempDir()
	p := plan(t, written, scaffold.Options{Service: "stock"})
	if err := scaffold.Write(p, written); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("git", "apply", "--whitespace=nowarn")
	cmd.Dir, cmd.Stdin = applied, strings.NewReader(p.Diff())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if diff := cmp.Diff(tree(t, written), tree(t, applied)); diff != "" {
		t.Errorf("written and applied differ:\n%s", diff)
	}
}
