package fileset_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/stages/container/fileset"
)

func open(t *testing.T, files ...string) *os.Root {
	t.Helper()
	dir := t.TempDir()
	for _, name := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func link(t *testing.T, root *os.Root, target, name string) {
	t.Helper()
	if err := root.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	root := open(t, "a/b/c", "a/d", "a/.git/x", "a/.pipeline/x", "e")
	link(t, root, "b/c", "a/link")
	if err := root.Mkdir("a/empty", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := root.Chmod("a/d", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		path  string
		links fileset.Links
		want  *fileset.Set
	}{
		"folder": {"a", fileset.Keep, &fileset.Set{Folder: true, Entries: []fileset.Entry{
			{Path: "a/b/c", Rel: "b/c"}, {Path: "a/d", Rel: "d", Executable: true}, {Path: "a/link", Rel: "link", Link: "b/c"},
		}}},
		"followed": {"./a/", fileset.Follow, &fileset.Set{Folder: true, Entries: []fileset.Entry{
			{Path: "a/b/c", Rel: "b/c"}, {Path: "a/d", Rel: "d", Executable: true}, {Path: "a/link", Rel: "link", Followed: true},
		}}},
		"file": {"e", fileset.Keep, &fileset.Set{Entries: []fileset.Entry{{Path: "e"}}}},
		"link": {"a/link", fileset.Keep, &fileset.Set{Entries: []fileset.Entry{{Path: "a/link", Followed: true}}}},
		"everything": {".", fileset.Follow, &fileset.Set{Folder: true, Entries: []fileset.Entry{
			{Path: "a/b/c", Rel: "a/b/c"}, {Path: "a/d", Rel: "a/d", Executable: true},
			{Path: "a/link", Rel: "a/link", Followed: true}, {Path: "e", Rel: "e"},
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := fileset.List(root, test.path, test.links)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	root := open(t, "a/b", "c", "out/x", "up/x", "circle/x")
	link(t, root, "../../c", "out/link")
	link(t, root, "../c", "up/link")
	link(t, root, ".", "circle/link")
	for _, test := range []struct {
		path  string
		links fileset.Links
		want  string
	}{
		{"../c", fileset.Keep, "lies outside of the service"},
		{"/etc", fileset.Keep, "lies outside of the service"},
		{"gone", fileset.Keep, "gone: file does not exist"},
		{"out", fileset.Keep, "out/link is a symbolic link to ../../c, outside of out"},
		{"up", fileset.Keep, "up/link is a symbolic link to ../c, outside of up"},
		{"out", fileset.Follow, "out/link: path escapes from parent"},
		{"circle", fileset.Follow, "too many levels of symbolic links"},
	} {
		_, err := fileset.List(root, test.path, test.links)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.path, err, test.want)
		}
	}
	if _, err := fileset.List(root, "gone", fileset.Keep); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
