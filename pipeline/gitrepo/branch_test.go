package gitrepo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestCommitTree has nothing of the parent's files, unlike CommitFiles.
func TestCommitTree(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	files := map[string][]byte{"lock": []byte("a\r\n"), "evidence/.system.jsonl": []byte("{}\n"), "empty": {}}
	c, err := r.CommitTree(t.Context(), "HEAD", files, "move", time.Unix(1700000000, 0))
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.ReadTree(t.Context(), c, 100)
	if diff := cmp.Diff(files, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	if parent := r.must(t, "log", "-1", "--format=%P", c); parent != r.must(t, "rev-parse", "HEAD") {
		t.Errorf("the parent is %s", parent)
	}
	again, err := r.CommitTree(t.Context(), "HEAD", files, "move", time.Unix(1700000000, 0))
	if again != c || err != nil {
		t.Errorf("the second time it is %s, %v; first %s", again, err, c)
	}
	kept, err := r.CommitFiles(t.Context(), c, map[string][]byte{"empty": []byte("no")}, "keep", time.Unix(1, 0))
	if got, err2 := r.ReadTree(t.Context(), kept, 100); errors.Join(err, err2) != nil || len(got) != 3 {
		t.Errorf("%v %v", got, errors.Join(err, err2))
	}
	none, err := r.CommitTree(t.Context(), c, nil, "none", time.Unix(1, 0))
	if got, err2 := r.ReadTree(t.Context(), none, 100); errors.Join(err, err2) != nil || len(got) != 0 {
		t.Errorf("%v %v", got, errors.Join(err, err2))
	}
}

func TestReadTreeRefuses(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	var large *TooLargeError
	if _, err := r.ReadTree(t.Context(), "HEAD", 10); !errors.As(err, &large) {
		t.Errorf("more than the limit: %v", err)
	}
	if _, err := r.ReadTree(t.Context(), "none", 10); err == nil {
		t.Error("no such commit")
	}
	for name, change := range map[string]func(file string) error{
		"a link":    func(file string) error { return os.Symlink("x", file) },
		"a program": func(file string) error { return os.WriteFile(file, nil, 0o755) },
	} {
		r := newRepo(t)
		if err := change(filepath.Join(r.Root, "new")); err != nil {
			t.Fatal(err)
		}
		r.must(t, "add", "-A")
		r.must(t, "commit", "-q", "-m", name)
		if _, err := r.ReadTree(t.Context(), "HEAD", 1000); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

// TestFetchBranch reads what others have pushed, from a shallow clone too, and
// leaves all references and the working copy alone.
func TestFetchBranch(t *testing.T) {
	t.Parallel()
	server := newRepo(t).bare(t)
	writer := server.clone(t)
	var commits []string
	parent := ""
	for i := range 4 {
		files := map[string][]byte{"promotion.json": fmt.Append(nil, i)}
		if i == 1 {
			files = map[string][]byte{"other": nil}
		}
		c, err := writer.CommitTree(t.Context(), parent, files, "move", time.Unix(int64(i), 0))
		if err == nil {
			err = writer.PushBranch(t.Context(), "origin", "env/prod", c, parent)
		}
		if err != nil {
			t.Fatal(err)
		}
		commits, parent = append([]string{c}, commits...), c
	}
	for name, reader := range map[string]*Repo{"complete": server.clone(t), "shallow": server.clone(t, "--depth=1", "--branch=main")} {
		before := reader.must(t, "for-each-ref") + reader.must(t, "status", "--porcelain")
		for range 2 {
			tip, err := reader.FetchBranch(t.Context(), "origin", "env/prod")
			if err != nil || tip != commits[0] {
				t.Fatalf("%s: %s, %v", name, tip, err)
			}
		}
		got, err := reader.LogFile(t.Context(), commits[0], "promotion.json", 10, 100)
		want := []Version{{commits[0], []byte("3")}, {commits[1], []byte("2")}, {commits[2], nil}, {commits[3], []byte("0")}}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
		if got, err := reader.LogFile(t.Context(), commits[0], "promotion.json", 2, 100); len(got) != 2 || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		var large *TooLargeError
		if _, err := reader.LogFile(t.Context(), commits[0], "promotion.json", 10, 2); !errors.As(err, &large) || large.Limit != 2 {
			t.Errorf("%s: %v", name, err)
		}
		if after := reader.must(t, "for-each-ref") + reader.must(t, "status", "--porcelain"); after != before {
			t.Errorf("%s: before\n%s\nafter\n%s", name, before, after)
		}
		if tip, err := reader.FetchBranch(t.Context(), "origin", "env/none"); tip != "" || err != nil {
			t.Errorf("%s: no such branch: %q, %v", name, tip, err)
		}
	}
	var remote *RemoteError
	if _, err := writer.FetchBranch(t.Context(), "file:///nowhere", "env/prod"); !errors.As(err, &remote) {
		t.Errorf("%v", err)
	}
	if _, err := writer.LogFile(t.Context(), commits[0], "../x", 1, 1); err == nil {
		t.Error("a path out of the repository")
	}
}

func TestCheckPush(t *testing.T) {
	t.Parallel()
	server := newRepo(t).bare(t)
	r := server.clone(t)
	before := server.must(t, "for-each-ref")
	for _, branch := range []string{"env/prod", "main"} {
		if err := r.CheckPush(t.Context(), "origin", branch); err != nil {
			t.Errorf("%s: %v", branch, err)
		}
	}
	if after := server.must(t, "for-each-ref"); after != before {
		t.Errorf("it has changed:\n%s", after)
	}
	var remote *RemoteError
	if err := r.CheckPush(t.Context(), "file:///nowhere", "env/prod"); !errors.As(err, &remote) || remote.Reason != NoRemote {
		t.Errorf("%v", err)
	}
}
