package gitrepo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

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
	at, err := r.CommitTime(t.Context(), "v0.1.0")
	if want := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC); err != nil || !at.Equal(want) {
		t.Errorf("time of the tagged commit: %v, %v", at, err)
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
	if log, _ := r.Log(t.Context(), "v0.1.0", head.Commit); len(log[0].Parents) != 1 {
		t.Errorf("parents %v", log[0].Parents)
	}
	want := Commit{
		Hash: log[0].Hash, Parents: []string{}, Author: "A", Email: "a@example.com", Time: time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC),
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

func TestIsAncestor(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	for _, c := range []struct {
		commit, of string
		want, bad  bool
	}{{"v0.1.0", "main", true, false}, {"main", "v0.1.0", false, false}, {"main", "main", true, false}, {"none", "main", false, true}} {
		got, err := r.IsAncestor(t.Context(), c.commit, c.of)
		if got != c.want || (err != nil) != c.bad {
			t.Errorf("%s of %s: %v, %v", c.commit, c.of, got, err)
		}
	}
}

// TestPlacesOfAWorkingCopy opens linked working trees, and folders below the top.
func TestPlacesOfAWorkingCopy(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	tree := filepath.Join(t.TempDir(), "tree")
	r.must(t, "worktree", "add", "-q", "-b", "other", tree)
	for dir, branch := range map[string]string{tree: "other", filepath.Join(r.Root, "b"): "main"} {
		repo, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if head, err := repo.Head(t.Context()); err != nil || head.Branch != branch || head.Dirty {
			t.Errorf("%s: %+v, %v", dir, head, err)
		}
		if tag, err := repo.TagAt(t.Context(), "v0.1.0"); err != nil || tag.Commit == "" {
			t.Errorf("%s: %+v, %v", dir, tag, err)
		}
	}
}

// TestPathsAreNoPatterns counts what is in a folder of that very name.
func TestPathsAreNoPatterns(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	if log, err := r.Log(t.Context(), "", "main", filepath.Join(r.Root, "*")); err != nil || len(log) != 0 {
		t.Errorf("%d commits, %v", len(log), err)
	}
}

func TestLogIsUTF8(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.commit(t, "c", "fix: zählen")
	if log, err := r.Log(t.Context(), "HEAD~1", "HEAD"); err != nil || log[0].Subject != "fix: zählen" {
		t.Errorf("%q, %v", log, err)
	}
	made, err := r.CommitFiles(t.Context(), "HEAD", nil, "fix: größer", time.Unix(0, 0))
	if header := r.must(t, "cat-file", "commit", made); err != nil || strings.Contains(header, "encoding") {
		t.Errorf("%q, %v", header, err)
	}
}

func TestErrorsHideCredentials(t *testing.T) {
	t.Parallel()
	address := "https://ci:" + secret + "@gitlab.example.com/x.git"
	err := readable(&proc.Error{Args: []string{"git", "-c", "x=y", "push", address}, ExitCode: 1, Stderr: "fatal: unable to access '" + address + "'"}, []string{"push", address})
	want := "git push 'https://[MASKED]@gitlab.example.com/x.git': exit status 1: fatal: unable to access 'https://[MASKED]@gitlab.example.com/x.git'"
	if err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// A tag is found although the clock of the machine that made its commit was ten
// years ahead, which git's own --merged misses in a long history; a tag on
// another branch is not.
func TestTagsWhereAClockWasWrong(t *testing.T) {
	t.Parallel()
	r := &Repo{Root: t.TempDir()}
	r.must(t, "init", "-q", "-b", "main")
	var history strings.Builder
	commit := func(branch string, seconds int, message string) {
		fmt.Fprintf(&history, "commit refs/heads/%s\ncommitter A <a@example.com> %d +0000\ndata %d\n%s\n", branch, seconds, len(message), message)
	}
	commit("main", 1900000000, "one")
	for i := range 50 {
		commit("main", 1600000000+i, fmt.Sprintf("change %d", i))
	}
	commit("other", 1600000100, "other")
	history.WriteString("from refs/heads/main\n")
	r.feed(t, history.String(), "fast-import", "--quiet")
	r.must(t, "tag", "v1.0.0", "main~50")
	r.must(t, "tag", "-a", "-m", "two", "v1.1.0", "main~50")
	r.must(t, "tag", "v9.0.0", "other")
	tags, err := r.Tags(t.Context(), r.must(t, "rev-parse", "main"), "v")
	if diff := cmp.Diff([]string{"v1.0.0", "v1.1.0"}, tags); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}
