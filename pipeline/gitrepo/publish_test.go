package gitrepo

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestCommitFiles(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	at := time.Unix(1700000000, 0)
	files := map[string][]byte{"lock.yaml": []byte("a: 1\r\n"), "dir/empty": nil, "a/x": []byte("other\x00")}
	one, err := r.CommitFiles(t.Context(), "HEAD", files, "chore: move\n\n# kept", at)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := r.CommitFiles(t.Context(), "HEAD", files, "chore: move\n\n# kept", at.In(time.FixedZone("x", 3600))); again != one || err != nil {
		t.Errorf("the second time it is %s, %v; first %s", again, err, one)
	}
	if got, want := r.must(t, "ls-tree", "-r", "--name-only", one), "a/x\nb/y\ndir/empty\nlock.yaml"; got != want {
		t.Errorf("files %q", got)
	}
	if got := r.must(t, "cat-file", "blob", one+":lock.yaml"); got != "a: 1" {
		t.Errorf("content %q", got)
	}
	if got := r.must(t, "cat-file", "-s", one+":lock.yaml"); got != "6" {
		t.Errorf("%s bytes", got)
	}
	if got := r.must(t, "log", "-1", "--format=%P %ct %B", one); got != r.must(t, "rev-parse", "HEAD")+" 1700000000 chore: move\n\n# kept" {
		t.Errorf("commit %q", got)
	}
	if head, err := r.Head(t.Context()); err != nil || head.Dirty || head.Commit == one {
		t.Errorf("the working copy was touched: %+v, %v", head, err)
	}
	begin, err := r.CommitFiles(t.Context(), "", files, "begin", at)
	if err != nil || r.must(t, "log", "--format=%P", begin) != "" {
		t.Errorf("without a parent: %v", err)
	}
	for _, name := range []string{"../x", "/x", ".git/config", "a/../../x", ""} {
		if got, err := r.CommitFiles(t.Context(), "", map[string][]byte{name: nil}, "x", at); err == nil {
			t.Errorf("%q became the commit %s", name, got)
		}
	}
}

func TestPushBranch(t *testing.T) {
	t.Parallel()
	server := newRepo(t).bare(t)
	r := server.clone(t)
	make := func(parent, content string) string {
		t.Helper()
		c, err := r.CommitFiles(t.Context(), parent, map[string][]byte{"lock": []byte(content)}, content, time.Unix(1, 0))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	one := make("", "one")
	two, other := make(one, "two"), make(one, "other")
	for _, step := range []struct{ commit, expected string }{{one, ""}, {one, ""}, {two, one}, {two, one}, {one, two}, {other, one}} {
		if err := r.PushBranch(t.Context(), "origin", "env/prod", step.commit, step.expected); err != nil {
			t.Fatalf("%+v: %v", step, err)
		}
		if got, err := r.RemoteBranch(t.Context(), "origin", "env/prod"); got != step.commit || err != nil {
			t.Errorf("it is on %s, %v", got, err)
		}
	}
	for _, expected := range []string{"", one, two} {
		var lost *LostError
		if err := r.PushBranch(t.Context(), "origin", "env/prod", two, expected); !errors.As(err, &lost) || lost.Actual != other || lost.Expected != expected {
			t.Errorf("expected %q: %v", expected, err)
		}
	}
	var lost *LostError
	if err := r.PushBranch(t.Context(), "origin", "env/none", two, one); !errors.As(err, &lost) || !strings.Contains(lost.Error(), "is absent") {
		t.Errorf("%v", err)
	}
	if got, err := r.RemoteBranch(t.Context(), "origin", "prod"); got != "" || err != nil {
		t.Errorf("the end of a name is a name: %s, %v", got, err)
	}
}

// TestPushBranchAtOnce has eight who want the same branch: one gets it.
func TestPushBranchAtOnce(t *testing.T) {
	t.Parallel()
	server := newRepo(t).bare(t)
	r := server.clone(t)
	var wg sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		wg.Go(func() {
			c, err := r.CommitFiles(t.Context(), "", map[string][]byte{"lock": fmt.Append(nil, i)}, "x", time.Unix(1, 0))
			results[i] = errors.Join(err, r.PushBranch(t.Context(), "origin", "env/prod", c, ""))
		})
	}
	wg.Wait()
	won := 0
	for _, err := range results {
		var lost *LostError
		if err == nil {
			won++
		} else if !errors.As(err, &lost) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d have won", won)
	}
}

func TestOnBranch(t *testing.T) {
	t.Parallel()
	server := manyCommits(t, 60)
	side := server.must(t, "commit-tree", "-p", "main~40", "-m", "feat: side", "main^{tree}")
	server.must(t, "update-ref", "refs/heads/side", side)
	old, tip := server.must(t, "rev-parse", "main~27"), server.must(t, "rev-parse", "main")

	// As in CI: a commit behind the branch's end, detached, and nothing else.
	ci := &Repo{Root: t.TempDir()}
	ci.must(t, "init", "-q")
	ci.must(t, "remote", "add", "origin", "file://"+server.Root)
	ci.must(t, "fetch", "-q", "--depth=2", "--no-tags", "origin", old)
	ci.must(t, "checkout", "-q", "--detach", old)
	if err := ci.OnBranch(t.Context(), "origin", "main", old); err != nil {
		t.Error(err)
	}
	var not *NotOnBranchError
	if err := ci.OnBranch(t.Context(), "origin", "side", old); !errors.As(err, &not) || not.Tip != side {
		t.Errorf("%v", err)
	}
	if err := ci.OnBranch(t.Context(), "origin", "none", old); !errors.As(err, &not) || not.Tip != "" {
		t.Errorf("%v", err)
	}
	local := server.clone(t)
	local.must(t, "remote", "set-url", "origin", "file:///nowhere")
	if err := local.OnBranch(t.Context(), "origin", "main", old); err != nil {
		t.Errorf("the server is asked for what is here: %v", err)
	}
	shallow := server.clone(t, "--depth=1", "--branch=main")
	shallow.must(t, "fetch", "-q", "--depth=1", "origin", old)
	if err := shallow.OnBranch(t.Context(), "origin", "main", old); err != nil {
		t.Errorf("cut off from %s: %v", tip, err)
	}
}
