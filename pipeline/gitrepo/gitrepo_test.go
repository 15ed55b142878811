package gitrepo

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// newRepo makes a repository with two commits and a tag on the first.
func newRepo(t *testing.T) *Repo {
	t.Helper()
	r := &Repo{Root: t.TempDir()}
	r.must(t, "init", "-q", "-b", "main")
	r.commit(t, "a/x", "feat: one\n\nwith a body\n\nChangelog: added")
	r.must(t, "tag", "-a", "-m", "release", "v0.1.0")
	r.must(t, "tag", "a/v0.1.0")
	r.commit(t, "b/y", "fix: two")
	return r
}

func (r *Repo) must(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = r.Root
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com",
		"GIT_AUTHOR_DATE=2020-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2020-01-02T03:04:05Z", "GIT_CONFIG_GLOBAL=/dev/null")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func (r *Repo) commit(t *testing.T, file, message string) {
	t.Helper()
	name := filepath.Join(r.Root, file)
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(message), 0o644)); err != nil {
		t.Fatal(err)
	}
	r.must(t, "add", "-A")
	r.must(t, "commit", "-q", "-m", message)
}

func TestHead(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	head, err := r.Head(t.Context())
	if err != nil || head.Branch != "main" || len(head.Commit) != 40 || head.Dirty {
		t.Fatalf("clean: %+v, %v", head, err)
	}
	if err := os.WriteFile(filepath.Join(r.Root, "b", "new"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if head, _ = r.Head(t.Context()); !head.Dirty {
		t.Error("an untracked file does not count")
	}
	if head, _ = r.Head(t.Context(), filepath.Join(r.Root, "a")); head.Dirty {
		t.Error("a file in another folder counts")
	}
	r.must(t, "checkout", "-q", "--detach")
	if head, _ = r.Head(t.Context()); head.Branch != "" {
		t.Errorf("detached head has branch %q", head.Branch)
	}
}

func TestHeadBeforeTheFirstCommit(t *testing.T) {
	t.Parallel()
	r := &Repo{Root: t.TempDir()}
	r.must(t, "init", "-q", "-b", "trunk")
	head, err := r.Head(t.Context())
	if err != nil || head.Commit != "" || head.Branch != "trunk" {
		t.Errorf("%+v, %v", head, err)
	}
}

func TestTagsAndLog(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	head, err := r.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tags, err := r.Tags(t.Context(), head.Commit, "v")
	if diff := cmp.Diff([]string{"v0.1.0"}, tags); diff != "" || err != nil {
		t.Errorf("tags with prefix v: %v %s", err, diff)
	}
	if tags, _ = r.Tags(t.Context(), head.Commit, "a/v"); len(tags) != 1 {
		t.Errorf("tags with prefix a/v: %v", tags)
	}
	log, err := r.Log(t.Context(), "v0.1.0", head.Commit)
	if err != nil || len(log) != 1 || log[0].Subject != "fix: two" {
		t.Errorf("since the tag: %+v, %v", log, err)
	}
	log, err = r.Log(t.Context(), "", head.Commit, filepath.Join(r.Root, "a"))
	if err != nil || len(log) != 1 {
		t.Fatalf("of folder a: %+v, %v", log, err)
	}
	want := Commit{
		Hash: log[0].Hash, Author: "A", Email: "a@example.com", Time: time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC),
		Subject: "feat: one", Body: "with a body\n\nChangelog: added",
	}
	if diff := cmp.Diff(want, log[0]); diff != "" {
		t.Errorf("commit (-want +got):\n%s", diff)
	}
}

func TestNoRepository(t *testing.T) {
	t.Parallel()
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrNoRepository) {
		t.Errorf("Open: %v", err)
	}
}
