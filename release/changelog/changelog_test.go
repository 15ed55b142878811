package changelog

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares a generated text with testdata/NAME.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; `go test -update` writes it):\n%s", name, diff)
	}
}

func gitlab(t testing.TB) Forge {
	t.Helper()
	f, err := GitLab("https://gitlab.example.com/", "/shop/stock/")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// hash makes a full hash that is easy to tell apart.
func hash(n int) string { return fmt.Sprintf("%07x", 0xabc0000+n) + strings.Repeat("0", 33) }

func date() time.Time { return time.Date(2026, 3, 4, 23, 30, 0, 0, time.UTC) }

// cases are the releases of the golden files.
func cases(t testing.TB) map[string]Release {
	forge := gitlab(t)
	return map[string]Release{
		"first": {
			Version: "0.1.0", Tag: "v0.1.0", Forge: forge,
			Commits: []Commit{
				{Hash: hash(2), Type: "feat", Subject: "count what is in stock"},
				{Hash: hash(1), Subject: "Begin"},
			},
		},
		"scopes": {
			Version: "1.3.0", Tag: "v1.3.0", Previous: "v1.2.0", Forge: forge,
			Commits: []Commit{
				{Hash: hash(8), Type: "feat", Scope: "web", Subject: "show `prices` in euro (#12)"},
				{Hash: hash(7), Type: "fix", Scope: "api", Subject: "answer 404 for unknown articles", Body: "Closes #3, shop/web#4\n\nSee merge request shop/stock!17"},
				{Hash: hash(6), Type: "docs", Subject: "say how it is built"},
				{Hash: hash(5), Type: "perf", Subject: "keep the connection"},
				{Hash: hash(4), Type: "feat", Scope: "api", Subject: "list articles, see https://example.com/list?a=b_c."},
				{Hash: hash(3), Type: "feat", Subject: "log in snake_case"},
				{Hash: hash(2), Type: "feat", Scope: "api", Subject: "Page lists", Body: "See merge request shop/web!5"},
				{Hash: hash(1), Type: "refactor", Subject: "move the store"},
			},
		},
		"breaking": {
			Version: "2.0.0", Tag: "v2.0.0", Previous: "v1.3.0", Forge: forge,
			Commits: []Commit{
				{Hash: hash(3), Type: "fix", Subject: "round up"},
				{Hash: hash(2), Type: "feat", Scope: "api", Subject: "remove v1", Breaking: []string{"", "clients must use `/v2`;\nthe old paths answer 410"}},
				{Hash: hash(1), Type: "refactor", Subject: "drop the flag -x", Breaking: []string{""}},
			},
			Proven: []Change{
				{Text: "Client.Put: changed from func(int) to func(*Item) error", Bump: Major, Where: "example.com/stock/client"},
				{Text: "Client.List: added", Bump: Minor, Where: "example.com/stock/client"},
				{Text: "FIELD_SAME_TYPE: stock.v1.Item.count", Bump: Major, Where: "proto/stock/v1/stock.proto"},
			},
		},
		"trailers": {
			Version: "1.4.0", Tag: "v1.4.0", Previous: "v1.3.0", Forge: forge,
			Commits: []Commit{
				{Hash: hash(9), Parents: []string{hash(6), hash(8)}, Subject: "Merge branch 'x' into 'main'", Body: "Two things\n\nSee merge request shop/stock!21"},
				{Hash: hash(8), Parents: []string{hash(7)}, Subject: "Encrypt the store", Trailer: "security"},
				{Hash: hash(7), Parents: []string{hash(6)}, Subject: "Old endpoints say when they go", Trailer: "Deprecated"},
				{Hash: hash(6), Parents: []string{hash(5)}, Type: "chore", Subject: "speed up", Trailer: "performance"},
				{Hash: hash(5), Parents: []string{hash(4)}, Subject: "Drop XML", Trailer: "removed"},
				{Hash: hash(4), Parents: []string{hash(3)}, Type: "feat", Subject: "say hello", Trailer: "other"},
				{Hash: hash(3), Parents: []string{hash(2)}, Subject: "Take CSV", Trailer: "added"},
				{Hash: hash(2), Parents: []string{hash(1)}, Subject: "Mend rounding", Trailer: "fixed"},
				{Hash: hash(1), Parents: []string{hash(0)}, Subject: "Words without a form"},
			},
		},
		"monorepo": {
			Version: "0.4.1", Tag: "stock/v0.4.1", Previous: "stock/v0.4.0", Forge: forge,
			Commits: []Commit{{Hash: hash(1), Type: "fix", Scope: "stock", Subject: "count again"}},
		},
		"nothing": {Version: "1.3.1", Tag: "v1.3.1", Previous: "v1.3.0", Forge: forge, Commits: []Commit{{Hash: hash(1), Type: "docs", Subject: "mend a word"}}},
		"noforge": {
			Version: "1.3.1", Tag: "v1.3.1", Previous: "v1.3.0",
			Commits: []Commit{{Hash: hash(1), Type: "fix", Subject: "count again (#7)", Body: "See merge request !3"}},
		},
		"hostile": {
			Version: "1.3.1", Tag: "v1.3.1", Previous: "v1.3.0", Forge: forge, Commits: hostile(),
			Written: "Read this first.\n\n/close\n  /assign me\n",
		},
	}
}

// hostile are subjects that try to be more than text.
func hostile() []Commit {
	var all []Commit
	for i, subject := range []string{
		"/close", "@all look here", "mail someone@example.com", "@group/sub-group.x!", "<script>alert(1)</script>", "<!-- hidden", "&lt;b&gt; &commat;all",
		"**bold** _it_ ~~gone~~ `co@de`", "``` fence", "~~~ fence", "# heading", "- item", "+ item", "* item", "1. item", "2) item", "> quote", "---", "===", ": x",
		"[ ] task", "[x] task", "![image](https://evil.example/x.png)", "[link](javascript:alert)", "[label]: https://evil.example", "[^1]: note",
		"two\nlines\n\n/merge", "two\r/merge\u2028/merge\u0085/merge", "a\u202Eb\u200Bc\x1b[31m", "trailing \\", "`@`all`", "`@``all`@all", "`", "``", "` `", "", "\x00",
		"| a | b |", "$`a`$ $x$", "%{latest_tag} {+ a +} [- b -]", "https://evil.example/<script>", "<https://evil.example/@all>", "../../x#1 ../..!1 a/b#99999999999999999999",
		"shop/stock!4 and #5 and x#6 and #7x", "::include{file=x}", ":smile: www.evil.example", "snake_case _a_ a_ __init__",
	} {
		all = append(all, Commit{Hash: hash(i + 1), Subject: subject})
	}
	return append(all,
		Commit{Hash: "<b>\n/close", Type: "fix", Scope: "**@all**\n/close", Subject: "x", Breaking: []string{"\n\n/close\n@all\n- x\n    code"}, Body: "See merge request a/<b>!1\nCloses ../..#1"},
		Commit{Hash: hash(0), Type: "<b>", Trailer: "\n/close", Subject: strings.Repeat("long ", 400)})
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, r := range cases(t) {
		r.Date = date()
		golden(t, name+".notes.md", Notes(r))
		file, err := Update(nil, r)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".file.md", string(file))
	}
}

func TestEffective(t *testing.T) {
	t.Parallel()
	revert := func(n int, targets ...int) Commit {
		c := Commit{Hash: hash(n), Subject: "Revert"}
		for _, target := range targets {
			c.Body += "This reverts commit " + hash(target) + ".\n"
		}
		return c
	}
	plain := func(n int) Commit { return Commit{Hash: hash(n), Subject: fmt.Sprint("change ", n)} }
	merge := func(n int, parents ...int) Commit {
		c := Commit{Hash: hash(n), Subject: "Merge"}
		for _, p := range parents {
			c.Parents = append(c.Parents, hash(p))
		}
		return c
	}
	child := func(n, parent int) Commit { c := plain(n); c.Parents = []string{hash(parent)}; return c }
	footer := Commit{Hash: hash(4), Type: "revert", Subject: "let us never", Body: "Refs: " + hash(1)[:7] + ", " + hash(2)[:9]}
	revertMerge := merge(9, 8)
	revertMerge.Body = "This reverts commit " + hash(8) + ", reversing\nchanges made to " + hash(5) + "."
	for name, c := range map[string]struct {
		commits []Commit
		want    []int
	}{
		"nothing":                  {nil, nil},
		"a pair":                   {[]Commit{revert(3, 1), plain(2), plain(1)}, []int{2}},
		"the revert of a revert":   {[]Commit{revert(3, 2), revert(2, 1), plain(1)}, []int{1}},
		"three reverts":            {[]Commit{revert(4, 3), revert(3, 2), revert(2, 1), plain(1)}, nil},
		"released before":          {[]Commit{revert(3, 77), plain(2)}, []int{3, 2}},
		"one of two":               {[]Commit{revert(3, 2, 77), plain(2), plain(1)}, []int{3, 1}},
		"twice":                    {[]Commit{revert(3, 1), revert(2, 1), plain(1)}, []int{2}},
		"itself":                   {[]Commit{revert(1, 1)}, []int{1}},
		"by a footer":              {[]Commit{footer, plain(3), plain(2), plain(1)}, []int{3}},
		"a merge":                  {[]Commit{merge(3, 1, 2), child(2, 0), child(1, 0)}, []int{2, 1}},
		"a merge with what it had": {[]Commit{revertMerge, merge(8, 5, 7), child(7, 6), child(6, 4), child(5, 4), child(4, 0)}, []int{5, 4}},
		"merged main back first":   {[]Commit{revertMerge, merge(8, 5, 7), merge(7, 6, 5), child(6, 4), child(5, 4), child(4, 0)}, []int{5, 4}},
		"a merge by its subject":   {[]Commit{{Hash: hash(2), Subject: "Merge branch 'x'"}, plain(1)}, []int{1}},
		"a merge that says more":   {[]Commit{{Hash: hash(2), Parents: []string{hash(1), hash(0)}, Trailer: "added"}, plain(1)}, []int{2, 1}},
		"loops":                    {[]Commit{merge(2, 1, 1), merge(1, 2, 2)}, nil},
	} {
		var want []string
		for _, n := range c.want {
			want = append(want, hash(n))
		}
		var got []string
		for _, left := range Effective(c.commits) {
			got = append(got, left.Hash)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestNotesLeaveOutWhatWasTakenBack(t *testing.T) {
	t.Parallel()
	notes := Notes(Release{Previous: "v1", Commits: []Commit{
		{Hash: hash(2), Subject: "Revert", Body: "This reverts commit " + hash(1) + "."}, {Hash: hash(1), Type: "feat", Subject: "count", Breaking: []string{""}},
	}})
	if notes != nothing+"\n" {
		t.Errorf("%q", notes)
	}
}

// TestDuplicates shows a change and its copies once, with what all of them know.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	notes := Notes(Release{Previous: "v1", Commits: []Commit{
		{Hash: hash(5), Type: "fix", Scope: "API", Subject: "Count."},
		{Hash: hash(4), Type: "fix", Scope: "api", Subject: "count", Breaking: []string{"all counts"}},
		{Hash: hash(3), Type: "fix", Scope: "api", Subject: "count", Breaking: []string{"all counts"}},
		{Hash: hash(2), Type: "fix", Scope: "api", Subject: "count"},
		{Hash: hash(1), Type: "fix", Scope: "web", Subject: "count"},
	}})
	want := "### Breaking\n\n- **API:** Count. (abc00050, abc00040, abc00030)\n  - all counts\n\n### Fixed\n\n- **web:** count (abc00010)\n"
	if diff := cmp.Diff(want, notes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNotesFitIntoGitLab(t *testing.T) {
	t.Parallel()
	var commits []Commit
	for i := range 2000 {
		commits = append(commits, Commit{Hash: hash(i), Subject: fmt.Sprint(i, strings.Repeat("<", 500))})
	}
	notes := Notes(Release{Previous: "v1", Commits: commits})
	if len(notes) > 1_000_000 || !strings.Contains(notes, "more changes are not listed here.") {
		t.Errorf("%d bytes, ending with %q", len(notes), notes[len(notes)-100:])
	}
}

func TestForge(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{{"gitlab.example.com", "a/b"}, {"ftp://x", "a/b"}, {"https://", "a/b"}, {"https://x", "a"}, {"https://x", "a/../b"}, {"https://x", "a/b c"}} {
		if _, err := GitLab(c[0], c[1]); err == nil {
			t.Errorf("%v is accepted", c)
		}
	}
	f, err := GitLab("https://user:secret@example.com/gitlab/", "a/b.c")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.compare("x/v1#", "(v2)"), "https://example.com/gitlab/a/b.c/-/compare/x/v1%23...%28v2%29"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// BenchmarkNotes is about the promise of 50 ms for 5,000 commits, of which a
// fifth are merges.
func BenchmarkNotes(b *testing.B) {
	r := Release{Version: "2.0.0", Tag: "v2.0.0", Previous: "v1.0.0", Date: date(), Forge: gitlab(b), Commits: many(5000)}
	b.Run("notes", func(b *testing.B) {
		for b.Loop() {
			_ = Notes(r)
		}
	})
	b.Run("file", func(b *testing.B) {
		for b.Loop() {
			if _, err := Update(nil, r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// many returns n commits, newest first.
func many(n int) []Commit {
	var all []Commit
	types := []string{"feat", "fix", "docs", "perf", ""}
	for i := n; i > 0; i-- {
		c := Commit{
			Hash: hash(i), Parents: []string{hash(i - 1)}, Type: types[i%5], Scope: fmt.Sprint("s", i%7), Subject: fmt.Sprintf("change `thing` %d for @someone (#%d)", i, i),
			Body: "It was like this and is now like that, because of reasons\nthat take two lines.\n\nCloses #12\nSigned-off-by: A <a@example.com>",
		}
		if i%5 == 0 {
			c = Commit{Hash: hash(i), Parents: []string{hash(i - 5), hash(i - 1)}, Subject: "Merge branch 'x' into 'main'", Body: fmt.Sprintf("See merge request shop/stock!%d", i)}
		}
		if i%50 == 1 {
			c.Body = "This reverts commit " + hash(i-2) + "."
		}
		all = append(all, c)
	}
	return all
}
