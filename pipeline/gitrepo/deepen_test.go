package gitrepo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// manyCommits makes a server's repository with 200 files, and n commits that
// change one, one every six hours, with a merged branch in every twenty. The
// branch "merged" is on the merge of a commit that began a hundred before.
func manyCommits(t testing.TB, n int) *Repo {
	t.Helper()
	r := &Repo{Root: filepath.Join(t.TempDir(), "server.git")}
	if err := os.Mkdir(r.Root, 0o755); err != nil {
		t.Fatal(err)
	}
	r.must(t, "init", "-q", "--bare", "-b", "main")
	var in strings.Builder
	commit := func(branch, from, merge, file string, i int) {
		fmt.Fprintf(&in, "commit refs/heads/%s\ncommitter A <a@example.com> %d +0000\ndata <<E\nchange %d\nE\n", branch, 1600000000+6*3600*i, i)
		if from != "" {
			fmt.Fprintf(&in, "from %s\n", from)
		}
		if merge != "" {
			fmt.Fprintf(&in, "merge %s\n", merge)
		}
		fmt.Fprintf(&in, "M 100644 inline %s\ndata <<E\n%s%d\nE\n", file, strings.Repeat("some words ", 20), i)
	}
	commit("main", "", "", "first", 0)
	for i := range 200 {
		fmt.Fprintf(&in, "M 100644 inline dir%d/file%d\ndata <<E\n%s%d\nE\n", i%10, i, strings.Repeat("some words ", 20), i)
	}
	for i := 1; i < n; i++ {
		file := fmt.Sprintf("dir%d/file%d", i%10, i%200)
		switch i % 20 {
		case 3:
			commit("side", "refs/heads/main", "", file, i)
		case 9:
			commit("main", "", "refs/heads/side", file, i)
		default:
			commit("main", "", "", file, i)
		}
		if i == max(n-100, n/2) {
			commit("long", "refs/heads/main", "", "long", i)
		}
	}
	if n > 1 {
		commit("merged", "refs/heads/main", "refs/heads/long", "long", n)
	}
	r.feed(t, in.String(), "fast-import", "--quiet", "--force")
	return r
}

// tags puts releases on the main line.
func (r *Repo) tags(t testing.TB, at map[string]string) {
	t.Helper()
	for name, rev := range at {
		r.must(t, "tag", "-a", "-m", name, name, rev)
	}
}

// branches adds merges of a commit on one of the first, and of a branch with
// more commits than the main line has since v0.2.0.
func (r *Repo) branches(t testing.TB) {
	t.Helper()
	var in strings.Builder
	commit := func(branch, from, merge string, i int) {
		fmt.Fprintf(&in, "commit refs/heads/%s\ncommitter A <a@example.com> %d +0000\ndata <<E\n%s %d\nE\n", branch, 1600000000+6*3600*i, branch, i)
		if from != "" {
			fmt.Fprintf(&in, "from %s\n", from)
		}
		if merge != "" {
			fmt.Fprintf(&in, "merge %s\n", merge)
		}
	}
	first := strings.Fields(r.must(t, "rev-list", "--reverse", "main"))[3]
	commit("old", first, "", 800)
	commit("ancient", "refs/heads/main", "refs/heads/old", 801)
	commit("many", "refs/heads/main~20", "", 700)
	for i := range 150 {
		commit("many", "", "", 701+i)
	}
	commit("deep", "refs/heads/main", "refs/heads/many", 900)
	r.feed(t, in.String(), "fast-import", "--quiet", "--force")
}

// since are the commits of a clone since a tag.
func (r *Repo) since(t testing.TB, tag string) []string {
	t.Helper()
	log, err := r.Log(t.Context(), tag, "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	var hashes []string
	for _, c := range log {
		hashes = append(hashes, c.Hash)
	}
	return hashes
}

// TestDeepen compares what shallow clones know afterwards with a complete one.
func TestDeepen(t *testing.T) {
	t.Parallel()
	server := manyCommits(t, 700)
	server.tags(t, map[string]string{"v0.1.0": "main~300", "v0.2.0": "main~60", "v0.3.0-rc.1": "main~10", "v0.4.0": "main"})
	server.branches(t)
	server.must(t, "tag", "elsewhere", server.must(t, "commit-tree", "-p", "main~5", "-m", "x", "main^{tree}"))
	complete := map[string]*Repo{}
	for _, branch := range []string{"main", "merged", "ancient", "deep"} {
		complete[branch] = server.clone(t, "--branch="+branch)
	}
	for _, c := range []struct{ branch, tag string }{
		{"main", "v0.2.0"}, {"main", "v0.1.0"}, {"main", "v0.3.0-rc.1"}, {"main", "v0.4.0"}, {"main", "elsewhere"}, {"main", ""},
		{"merged", "v0.2.0"}, {"merged", "v0.4.0"}, {"ancient", "v0.2.0"}, {"deep", "v0.2.0"},
	} {
		depths := []string{"20"} // GitLab's
		if c.tag == "v0.2.0" && c.branch == "main" {
			depths = append(depths, "1")
		}
		for _, depth := range depths {
			t.Run(fmt.Sprintf("%s-%s-%s", c.branch, c.tag, depth), func(t *testing.T) {
				t.Parallel()
				r := server.clone(t, "--depth="+depth, "--branch="+c.branch, "--no-tags")
				r.must(t, "checkout", "-q", "--detach")
				for range 2 {
					if err := r.Deepen(t.Context(), "origin", c.tag); err != nil {
						t.Fatal(err)
					}
				}
				if diff := cmp.Diff(complete[c.branch].since(t, c.tag), r.since(t, c.tag)); diff != "" {
					t.Errorf("commits since %q (-complete +shallow):\n%s", c.tag, diff)
				}
				if c.tag != "" {
					want := server.must(t, "rev-parse", "refs/tags/"+c.tag)
					if tag, err := r.TagAt(t.Context(), c.tag); err != nil || tag.Object != want {
						t.Errorf("%+v, %v", tag, err)
					}
				}
				r.must(t, "fsck", "--connectivity-only", "--no-dangling")
				if shallow, err := r.Shallow(t.Context()); err != nil || !shallow && c.tag == "v0.2.0" && c.branch != "ancient" {
					t.Errorf("everything was fetched (%v)", err)
				}
			})
		}
	}
}

func TestDeepenWithoutTags(t *testing.T) {
	t.Parallel()
	server := newRepo(t).bare(t)
	r := server.clone(t, "--depth=1", "--no-tags")
	if err := r.Deepen(t.Context(), "origin", "v9.9.9"); !errors.Is(err, ErrNoTag) {
		t.Errorf("%v", err)
	}
	complete := server.clone(t, "--no-tags")
	if err := complete.Deepen(t.Context(), "origin", "v0.1.0"); err != nil {
		t.Fatal(err)
	}
	head := complete.must(t, "rev-parse", "HEAD")
	if tags, err := complete.Tags(t.Context(), head, ""); err != nil || len(tags) != 2 {
		t.Errorf("%v, %v", tags, err)
	}
	// Nothing is missing: nobody is asked.
	complete.must(t, "remote", "set-url", "origin", "file:///nowhere")
	if err := complete.Deepen(t.Context(), "origin", "v0.1.0"); err != nil {
		t.Error(err)
	}
}

// TestDeepenBelowOwnCommits has a head that the server does not know.
func TestDeepenBelowOwnCommits(t *testing.T) {
	t.Parallel()
	server := manyCommits(t, 50)
	server.tags(t, map[string]string{"v0.1.0": "main~40"})
	r := server.clone(t, "--depth=1")
	r.commit(t, "own", "feat: own")
	if err := r.Deepen(t.Context(), "origin", "v0.1.0"); err != nil {
		t.Fatal(err)
	}
	if got, want := len(r.since(t, "v0.1.0")), len(server.clone(t).since(t, "v0.1.0"))+1; got != want {
		t.Errorf("%d commits, want %d", got, want)
	}
}

func TestDeepenNamesTheCommand(t *testing.T) {
	t.Parallel()
	r := newRepo(t).bare(t).clone(t, "--depth=1")
	r.must(t, "remote", "remove", "origin")
	for _, tag := range []string{"", "v0.1.0"} {
		var e *RemoteError
		if err := r.Deepen(t.Context(), "origin", tag); !errors.As(err, &e) || e.Reason != NoRemote || e.Command != "git fetch --unshallow --tags origin" {
			t.Errorf("%v", err)
		}
	}
}

// BenchmarkDeepen compares ways to the last release of 5,000 commits, fifty of
// them since, in a clone as GitLab makes it.
func BenchmarkDeepen(b *testing.B) {
	server := manyCommits(b, 5000)
	server.tags(b, map[string]string{"v1.0.0": "main~50"})
	for name, way := range map[string]func(*Repo) error{
		"deepen":    func(r *Repo) error { return r.Deepen(b.Context(), "origin", "v1.0.0") },
		"unshallow": func(r *Repo) error { return r.Deepen(b.Context(), "origin", "") },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				r := server.clone(b, "--depth=20", "--no-tags")
				b.StartTimer()
				if err := way(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
