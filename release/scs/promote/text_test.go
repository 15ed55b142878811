package promote_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/promote"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got)\n%s", file, diff)
	}
}

// combination is made of "stock 0.1.0" and so on.
func combination(members ...string) scs.Combination {
	c := scs.Combination{System: "shop", Suite: evidence.Sum([]byte("suite"))}
	for _, m := range members {
		service, version, _ := strings.Cut(m, " ")
		c = c.With(scs.Member{Service: service, Version: version, Bundle: evidence.Sum([]byte(m)), Size: 1, Source: "registry.example.com/shop/" + service})
	}
	return c
}

func lockOf(version string, members ...string) *scs.Lock {
	return &scs.Lock{Version: version, Combination: combination(members...)}
}

func TestNextVersion(t *testing.T) {
	t.Parallel()
	base := []string{"cart 0.2.0", "stock 1.4.2"}
	suite, values, bytes := combination(base...), combination(base...), combination(base...)
	suite.Suite, values.Values, bytes.Members[0].Bundle = evidence.Sum(nil), evidence.Sum(nil), evidence.Sum(nil)
	for name, c := range map[string]struct {
		previous string
		next     scs.Combination
		want     string
	}{
		"the same":               {"1.2.3", combination(base...), "1.2.3"},
		"a patch":                {"1.2.3", combination("cart 0.2.1", "stock 1.4.2"), "1.2.4"},
		"a minor":                {"1.2.3", combination("cart 0.2.1", "stock 1.5.0"), "1.3.0"},
		"a major":                {"1.2.3", combination("cart 0.2.1", "stock 2.0.0"), "2.0.0"},
		"a major below 1":        {"0.2.3", combination("cart 0.2.1", "stock 2.0.0"), "0.3.0"},
		"out of 0.x":             {"1.2.3", combination("cart 1.0.0", "stock 1.4.2"), "2.0.0"},
		"a new service":          {"1.2.3", combination("cart 0.2.0", "stock 1.4.2", "web 0.1.0"), "1.3.0"},
		"one is gone":            {"1.2.3", combination("stock 1.4.2"), "2.0.0"},
		"one is gone below 1":    {"0.9.9", combination("stock 1.4.2"), "0.10.0"},
		"back by a patch":        {"1.2.3", combination("cart 0.2.0", "stock 1.4.1"), "1.2.4"},
		"back by a minor":        {"1.2.3", combination("cart 0.1.9", "stock 1.4.2"), "1.3.0"},
		"another suite":          {"1.2.3", suite, "1.2.4"},
		"other values":           {"0.2.3", values, "0.2.4"},
		"other bytes":            {"1.2.3", bytes, "1.2.4"},
		"a pre-release comes":    {"1.2.3", combination("cart 0.2.0", "stock 1.5.0-rc.1"), "1.3.0"},
		"a pre-release is final": {"1.2.0-rc.1", combination("cart 0.2.1", "stock 1.4.2"), "1.2.0"},
	} {
		if got := promote.NextVersion(lockOf(c.previous, base...), c.next); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if got := promote.NextVersion(nil, combination(base...)); got != "0.1.0" {
		t.Errorf("the first: %s", got)
	}
}

func stockNotes(t *testing.T) []promote.ReleaseNotes {
	t.Helper()
	hostile, err := os.ReadFile(filepath.Join("testdata", "hostile.md"))
	if err != nil {
		t.Fatal(err)
	}
	until := time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC)
	return []promote.ReleaseNotes{
		{Version: "0.1.0", Notes: "- before\n"},
		promote.NotesOf(sign.Release{Version: "0.1.1", Notes: "### Fixed\n\n- round up ([abc00030](https://gitlab.example.com/shop/stock/-/commit/abc00030)), for \\*Item\n  - clients use `/v2`\n\n[All changes since v0.1.0](https://gitlab.example.com/compare/v0.1.0...v0.1.1)\n",
			Overridden: []sign.Exception{{Rule: "approvals", Reason: "nobody @here", By: "anna", Until: until}}, Unsigned: true}),
		{Version: "0.2.0", Notes: string(hostile)},
		{Version: "0.2.0", Notes: "- a second time\n"},
		{Version: "0.3.0", Notes: "- held back\n"},
	}
}

func TestChangelog(t *testing.T) {
	t.Parallel()
	from := lockOf("0.1.0", "auth 1.0.0", "cart 0.2.0", "stock 0.1.0")
	to := lockOf("0.2.0", "cart 0.1.9", "stock 0.2.0", "web 0.1.0")
	to.Suite = evidence.Sum(nil)
	notes := map[string][]promote.ReleaseNotes{
		"stock": stockNotes(t), "cart": {{Version: "0.2.0", Notes: "- forth\n"}, {Version: "0.1.9", Notes: "- old\n"}},
		"web": {{Version: "0.1.0", Notes: "- begin\n"}, {Version: "0.0.9", Notes: "- older\n"}}, "auth": {{Version: "1.0.0", Notes: "x"}},
	}
	golden(t, "changelog.md", promote.Changelog(from, to, notes))
	golden(t, "first.md", promote.Changelog(nil, to, nil))
	if got := promote.Changelog(to, to, notes); got != "## shop 0.2.0\n\nNothing has changed.\n" {
		t.Errorf("%s", got)
	}
}

func updates() map[string]promote.Update {
	to := lockOf("0.2.0", "cart 0.2.0", "stock 0.2.0", "web 0.1.0")
	to.Held = []scs.Held{
		{Service: "cart", Version: "0.2.1", With: []string{"stock 0.2.0", "web 0.1.0"}, Why: "TestCheckout fails | @all <b>\n/merge", Replay: "pipeline scs test --with cart=0.2.1"},
		{Service: "stock", Version: "0.3.0", Why: "no verdict of integration"},
		{Service: "stock", Version: "0.4.0", Why: "fails by itself", Replay: "pipeline scs test --with 'stock=`0.4.0'"},
	}
	suite := lockOf("0.2.1", "cart 0.2.0", "stock 0.2.0", "web 0.1.0")
	suite.Suite, suite.Values = evidence.Sum(nil), evidence.Sum(nil)
	return map[string]promote.Update{
		"update.md": {From: lockOf("0.1.0", "auth 1.0.0", "cart 0.2.0", "stock 0.2.1"), To: to, Result: "12 passed in 1m40s, see [here](javascript:x)"},
		"begin.md":  {To: to},
		"suite.md":  {From: lockOf("0.2.0", "cart 0.2.0", "stock 0.2.0", "web 0.1.0"), To: suite, Result: "passed"},
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	for name, u := range updates() {
		got := promote.Table(u)
		golden(t, name, got)
		for _, bad := range dangers([]byte(got)) {
			t.Errorf("%s: %s", name, bad)
		}
	}
}

// dangers lists what Markdown from outside must not become, as GitLab reads it.
func dangers(source []byte) (found []string) {
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.RawHTML, *ast.HTMLBlock, *ast.Image, *ast.ThematicBreak, *ast.Blockquote:
			found = append(found, n.Kind().String())
		case *ast.CodeSpan, *ast.CodeBlock, *ast.FencedCodeBlock:
			return ast.WalkSkipChildren, nil
		case *ast.Heading:
			if n.Level == 1 {
				found = append(found, "a first heading")
			}
		case *ast.Link:
			if d := string(n.Destination); !strings.HasPrefix(d, "https://") && !strings.HasPrefix(d, "http://") {
				found = append(found, "a link to "+d)
			}
			return ast.WalkSkipChildren, nil
		case *ast.Text:
			if at := n.Segment.Value(source); strings.Contains(string(at), "@") && mention(string(at)) {
				found = append(found, "a mention in "+string(at))
			}
		}
		return ast.WalkContinue, nil
	})
	for line := range strings.Lines(string(source)) {
		if strings.HasPrefix(strings.TrimLeft(line, " \t"), "/") {
			found = append(found, "a command "+line)
		}
	}
	return found
}

// mention is "@" before a name, and behind nothing that belongs to one.
func mention(s string) bool {
	for i := range len(s) - 1 {
		next := s[i+1]
		if s[i] == '@' && (next >= 'a' && next <= 'z' || next >= 'A' && next <= 'Z' || next >= '0' && next <= '9' || next == '_') {
			return true
		}
	}
	return false
}

func FuzzChangelog(f *testing.F) {
	hostile, err := os.ReadFile(filepath.Join("testdata", "hostile.md"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(hostile))
	for _, seed := range []string{
		"![x](https://x)", "!![x](https://x)", "[@a](https://x)", "[a](https://x)[b](https://y)", "```\n@a\n```\n/merge", "- x\n\n      @a\n", "[x]: https://x\n[x]", "&lt;b&gt;",
		"\\<b>", "<!-- x", "`@a", "~~~\n<b>", "# #", "**@a**", "[a](https://x\"@a)", "www.x.y/@a", "a@b.c", "1. x", "> @a", "| a |\n|---|\n", "a\n===\n", "a\n---",
	} {
		f.Add(seed)
	}
	from, to := lockOf("0.1.0", "stock 0.1.0"), lockOf("0.2.0", "stock 0.2.0")
	f.Fuzz(func(t *testing.T, notes string) {
		got := promote.Changelog(from, to, map[string][]promote.ReleaseNotes{"stock": {{
			Version: "0.2.0", Notes: notes, Exceptions: []sign.Exception{{Rule: notes, Reason: notes, By: notes}},
		}}})
		for _, bad := range dangers([]byte(got)) {
			t.Errorf("%q became\n%s\nwith %s", notes, got, bad)
		}
		to := *to
		to.Held = []scs.Held{{Service: notes, Version: notes, With: []string{notes}, Why: notes, Replay: notes}}
		table := promote.Table(promote.Update{From: from, To: &to, Result: notes})
		for _, bad := range dangers([]byte(table)) {
			t.Errorf("%q became\n%s\nwith %s", notes, table, bad)
		}
	})
}
