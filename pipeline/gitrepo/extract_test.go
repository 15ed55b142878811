package gitrepo

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// contents returns the files below a folder with their modes, links with their
// targets.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, name)
		switch {
		case d.IsDir():
			if empty, _ := os.ReadDir(name); len(empty) == 0 {
				all[rel] = "empty folder"
			}
		case d.Type() == fs.ModeSymlink:
			target, _ := os.Readlink(name)
			all[rel] = "-> " + target
		default:
			data, err := os.ReadFile(name)
			all[rel] = info.Mode().String() + " " + string(data)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestExtract writes the bytes of the commit whatever the attributes say.
func TestExtract(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.must(t, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "file://"+newRepo(t).Root, "svc/sub")
	r.write(t, ".gitattributes", "*.txt export-subst text eol=crlf ident\nsecret export-ignore\n*.bin filter=break\n")
	r.write(t, "svc/a.txt", "$Format:%H$ $Id$\nline\n")
	r.write(t, "svc/secret", "told")
	r.write(t, "svc/run.sh", "#!/bin/sh\n")
	r.write(t, "svc/é \"x\".bin", "\x00\r\n\xff")
	r.write(t, "other/file", "not asked for")
	for name, target := range map[string]string{"svc/in": "a.txt", "svc/up": "../other/file", "svc/out": "../../etc/passwd", "svc/abs": "/etc/passwd", "svc/tricky": "in/../../../x"} {
		if err := os.Symlink(target, filepath.Join(r.Root, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(r.Root, "svc/run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.must(t, "add", "-A")
	r.must(t, "commit", "-q", "-m", "feat: many files")
	r.must(t, "tag", "-a", "-m", "x", "svc/v1.0.0")
	r.commit(t, "svc/a.txt", "newer")

	dir := filepath.Join(t.TempDir(), "new", "folder")
	got, err := r.Extract(t.Context(), "svc/v1.0.0", dir, filepath.Join(r.Root, "svc"), ".gitattributes")
	want := Extracted{
		Commit: r.must(t, "rev-parse", "HEAD~1"), Files: 7,
		Submodules: []string{"svc/sub"}, Outside: []string{"svc/abs", "svc/out", "svc/tricky"},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	files := map[string]string{
		".gitattributes":  "-rw-r--r-- *.txt export-subst text eol=crlf ident\nsecret export-ignore\n*.bin filter=break\n",
		"svc/a.txt":       "-rw-r--r-- $Format:%H$ $Id$\nline\n",
		"svc/secret":      "-rw-r--r-- told",
		"svc/run.sh":      "-rwxr-xr-x #!/bin/sh\n",
		"svc/é \"x\".bin": "-rw-r--r-- \x00\r\n\xff",
		"svc/in":          "-> a.txt",
		"svc/up":          "-> ../other/file",
		"svc/sub":         "empty folder",
	}
	if diff := cmp.Diff(files, contents(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if _, err := r.Extract(t.Context(), "svc/v1.0.0", dir); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("into a folder with files: %v", err)
	}
	if all, err := r.Extract(t.Context(), "HEAD", t.TempDir(), "svc", "."); err != nil || all.Files < 9 {
		t.Errorf("everything: %+v, %v", all, err)
	}
	for _, paths := range [][]string{{"none"}, {".."}, {"/etc"}, {"*"}} {
		if got, err := r.Extract(t.Context(), "HEAD", t.TempDir(), paths...); err == nil {
			t.Errorf("%v: %+v", paths, got)
		}
	}
	if _, err := r.Extract(t.Context(), "v9", t.TempDir()); err == nil {
		t.Error("a tag that is not there is extracted")
	}
}

// TestExtractHostile has trees that no `git add` makes.
func TestExtractHostile(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	outside := t.TempDir()
	blob := r.feed(t, "evil", "hash-object", "-w", "--stdin")
	link := r.feed(t, outside, "hash-object", "-w", "--stdin")
	inner := r.feed(t, "100644 blob "+blob+"\tfile\n", "mktree")
	up := r.feed(t, "40000 tree "+inner+"\t..\n", "mktree")
	for name, tree := range map[string]string{
		"up":               r.feed(t, "40000 tree "+up+"\tdir\n", "mktree"),
		"git":              r.feed(t, "40000 tree "+inner+"\t.GIT\n", "mktree"),
		"a link, a folder": r.feed(t, "120000 blob "+link+"\tdir\n40000 tree "+inner+"\tdir\n", "mktree"),
		"a file twice":     r.feed(t, "100644 blob "+blob+"\tx\n100644 blob "+blob+"\tx\n", "mktree"),
	} {
		commit := r.feed(t, "x", "commit-tree", tree)
		dir := filepath.Join(t.TempDir(), "a", "b")
		got, err := r.Extract(t.Context(), commit, dir)
		if err == nil && len(got.Outside) == 0 {
			t.Errorf("%s: %+v", name, got)
		}
		if files := contents(t, filepath.Dir(filepath.Dir(dir))); files["file"] != "" || files["a/file"] != "" || len(contents(t, outside)) > 0 {
			t.Errorf("%s: written outside: %v", name, files)
		}
	}
}

func BenchmarkExtract(b *testing.B) {
	r := manyCommits(b, 1)
	for b.Loop() {
		if _, err := r.Extract(b.Context(), "main", filepath.Join(b.TempDir(), "x")); err != nil {
			b.Fatal(err)
		}
	}
}
