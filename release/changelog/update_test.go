package changelog

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func release(t testing.TB) Release {
	return Release{
		Version: "1.2.0", Tag: "v1.2.0", Previous: "v1.1.0", Date: date(), Forge: gitlab(t),
		Commits: []Commit{{Hash: hash(2), Type: "feat", Subject: "count"}, {Hash: hash(1), Type: "fix", Subject: "round"}},
	}
}

// The parts that a release adds to the files below.
const (
	countLine  = "- count ([abc00020](https://gitlab.example.com/shop/stock/-/commit/abc0002000000000000000000000000000000000))\n"
	roundLine  = "- round ([abc00010](https://gitlab.example.com/shop/stock/-/commit/abc0001000000000000000000000000000000000))\n"
	section120 = "## [1.2.0] - 2026-03-04\n\n### Added\n\n" + countLine + "\n### Fixed\n\n" + roundLine
	compare    = "https://gitlab.example.com/shop/stock/-/compare/"
	newLinks   = "[Unreleased]: " + compare + "v1.2.0...HEAD\n[1.2.0]: " + compare + "v1.1.0...v1.2.0\n"
	older      = "## [1.1.0] - 2025-01-02\n\n### Fixed\n* odd   spacing \n\n\n## 0.9 beta\nfree text\n"
)

func TestUpdate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, want string }{
		"links are moved on": {
			"# Changelog\n\n## [Unreleased]\n\n" + older + "\n[unreleased]: " + compare + "v1.1.0...HEAD\n[1.1.0]: https://x\n",
			"# Changelog\n\n## [Unreleased]\n\n" + section120 + "\n" + older + "\n[unreleased]: " + compare + "v1.2.0...HEAD\n[1.2.0]: " + compare + "v1.1.0...v1.2.0\n[1.1.0]: https://x\n",
		},
		"links are begun": {
			"# Changelog\n## [Unreleased]\n" + older,
			"# Changelog\n## [Unreleased]\n\n" + section120 + "\n" + older + "\n" + newLinks,
		},
		"without a header": {
			older,
			section120 + "\n" + older + "\n[1.2.0]: " + compare + "v1.1.0...v1.2.0\n",
		},
		"a title and words": {
			"# Change log\n\nWords.",
			"# Change log\n\nWords.\n\n" + section120 + "\n[1.2.0]: " + compare + "v1.1.0...v1.2.0\n",
		},
		"no brackets, no links": {
			"# Changelog\n\n## Unreleased\n\n## 1.1.0 - 2025-01-02\n- x",
			"# Changelog\n\n## Unreleased\n\n" + strings.Replace(section120, "[1.2.0]", "1.2.0", 1) + "\n## 1.1.0 - 2025-01-02\n- x",
		},
		"headings with v": {
			"## [v1.1.0] - 2025-01-02 [YANKED]\n- x\n\n[v1.1.0]: https://x\n",
			strings.Replace(section120, "[1.2.0]", "[v1.2.0]", 1) + "\n## [v1.1.0] - 2025-01-02 [YANKED]\n- x\n\n[v1.2.0]: " + compare + "v1.1.0...v1.2.0\n[v1.1.0]: https://x\n",
		},
		"what people wrote moves": {
			"## [Unreleased]\n\nWords of our own.\n\n### Fixed\n\n- By hand.\n- Round.\n\n### Removed\n\n### Thanks\n- to all\n\n#### and more\n\n### added\nParagraph\n\n" + older,
			"## [Unreleased]\n\n## [1.2.0] - 2026-03-04\n\nWords of our own.\n\n### Added\n\nParagraph\n\n" + countLine +
				"\n### Fixed\n\n- By hand.\n- Round.\n\n### Thanks\n\n- to all\n\n#### and more\n\n" + older + "\n" + newLinks,
		},
		"headings in code and comments": {
			"<!--\n## [9.9.9]\n-->\n```\n## no heading\n```\n\n## [Unreleased]\n- x\n  ```\n  ## 1.2.0\n  ```\n",
			"<!--\n## [9.9.9]\n-->\n```\n## no heading\n```\n\n## [Unreleased]\n\n## [1.2.0] - 2026-03-04\n\n- x\n  ```\n  ## 1.2.0\n  ```\n\n### Added\n\n" + countLine + "\n### Fixed\n\n" + roundLine + "\n" + newLinks,
		},
		"a byte order mark": {
			"\uFEFF## [Unreleased]\n",
			"\uFEFF## [Unreleased]\n\n" + section120 + "\n" + newLinks,
		},
		"links in the middle": {
			"## [Unreleased]\n[unreleased]: " + compare + "v1.1.0...HEAD\n\n" + older,
			"## [Unreleased]\n\n" + section120 + "\n" + older + "\n" + newLinks,
		},
		"the version is there": {older + "\n## [1.2.0]", older + "\n## [1.2.0]"},
	} {
		for _, eol := range []string{"\n", "\r\n"} {
			file, want := strings.ReplaceAll(c.file, "\n", eol), strings.ReplaceAll(c.want, "\n", eol)
			got, err := Update([]byte(file), release(t))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Errorf("%s, %q (-want +got):\n%s", name, eol, diff)
			}
			if again, err := Update(got, release(t)); err != nil || string(again) != string(got) {
				t.Errorf("%s: the second time it changes: %v", name, err)
			}
		}
	}
}

// TestUpdateWithoutForge goes on with the links that are there.
func TestUpdateWithoutForge(t *testing.T) {
	t.Parallel()
	r := release(t)
	r.Forge = Forge{}
	got, err := Update([]byte("## [Unreleased]\n\n[Unreleased]: https://forge.example/p/compare/v1.1.0...HEAD\n"), r)
	want := "## [Unreleased]\n\n## [1.2.0] - 2026-03-04\n\n### Added\n\n- count (abc00020)\n\n### Fixed\n\n- round (abc00010)\n\n" +
		"[Unreleased]: https://forge.example/p/compare/v1.2.0...HEAD\n[1.2.0]: https://forge.example/p/compare/v1.1.0...v1.2.0\n"
	if diff := cmp.Diff(want, string(got)); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file string
		line int
	}{
		"conventional-changelog":  {"# Changelog\n\n## [1.1.0](https://x/compare/a...b) (2025-01-02)\n", 3},
		"its major releases":      {"# [2.0.0](https://x) (2025-01-02)\n\n## 1.0.0\n", 1},
		"underlined":              {"Changelog\n=========\n\n1.1.0 / 2025-01-02\n------------------\n\n * x\n", 4},
		"underlined, alone":       {"\n1.1.0 - 2025-01-02\n==================\n* x\n", 2},
		"another date":            {"## [1.1.0] - 2 Jan 2025\n", 1},
		"GNU":                     {"2025-01-02  A  <a@example.com>\n\n\t* x.c: y\n", 1},
		"words":                   {"\n\nSome words.\n", 3},
		"another title":           {"# Stock\n\nA service.\n", 1},
		"another heading":         {"# Changelog\n## [Unreleased]\n## Notes\n## [1.1.0]\n", 3},
		"two unreleased":          {"## [Unreleased]\n## [1.1.0]\n## Unreleased\n", 3},
		"unreleased twice on top": {"## [Unreleased]\n## [Unreleased]\n", 2},
		"unreleased below":        {"## [1.1.0]\n\n## [Unreleased]\n", 3},
		"underlined unreleased":   {"Unreleased\n---\n", 1},
		"level 3":                 {"# Changelog\n\n### 1.1.0\n", 3},
		"a code block":            {"## [1.1.0]\n\n```\ncode\n", 3},
		"a comment":               {"## [1.1.0]\n<!-- x\n", 2},
		"UTF-16":                  {"#\x00 \x00C\x00", 1},
		"a title within":          {"## [Unreleased]\n# Older\n## [1.1.0]\n", 2},
	} {
		got, err := Update([]byte(c.file), release(t))
		var format *FormatError
		if !errors.As(err, &format) || format.Line != c.line || got != nil {
			t.Errorf("%s: %q, %v; want line %d", name, got, err, c.line)
		}
	}
}

func TestUpdateNeedsVersionAndDate(t *testing.T) {
	t.Parallel()
	if _, err := Update(nil, Release{Version: "v1", Date: date()}); err == nil {
		t.Error("the version v1 is accepted")
	}
	if _, err := Update(nil, Release{Version: "1.0.0"}); err == nil {
		t.Error("no date is accepted")
	}
}

func TestUnreleased(t *testing.T) {
	t.Parallel()
	got, err := Unreleased([]byte("# Changelog\r\n## [Unreleased]\r\n\r\n### Removed\r\n\r\n### Added\r\n- x\r\n" + older))
	if want := "### Added\n\n- x"; got != want || err != nil {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	for _, file := range []string{"", older, "## [Unreleased]\n"} {
		if got, err := Unreleased([]byte(file)); got != "" || err != nil {
			t.Errorf("%q: %q, %v", file, got, err)
		}
	}
}

// FuzzUpdate extends a file whose older part is anything: that part stays, the
// section comes above it, and the second time nothing changes.
func FuzzUpdate(f *testing.F) {
	f.Add("# Changelog\n\n## [Unreleased]\n- x\n", "free text\n\n[1.1.0]: https://x", true)
	f.Add("", "```\n## x\n```", false)
	f.Add("\uFEFF", "<!-- x -->\n[Unreleased]: https://x/compare/v1.1.0...HEAD\n\n\n", false)
	f.Add("x\n===\r\n", "\r\n\r\n", true)
	f.Fuzz(func(t *testing.T, top, below string, forge bool) {
		r := release(t)
		if !forge {
			r.Forge = Forge{}
		}
		older := "## [1.1.0] - 2025-01-02\n" + below
		file := top + "\n" + older
		got, err := Update([]byte(file), r)
		if err != nil {
			var format *FormatError
			if lines := strings.Count(file, "\n") + 1; !errors.As(err, &format) || format.Line < 1 || format.Line > lines {
				t.Fatalf("of %d lines: %v", lines, err)
			}
			return
		}
		again, err := Update(got, r)
		if err != nil || string(again) != string(got) {
			t.Fatalf("the second time (%v):\n%s", err, cmp.Diff(string(got), string(again)))
		}
		if string(got) == file {
			if !strings.Contains(file, "1.2.0") {
				t.Fatalf("nothing happened to %q", file)
			}
			return
		}
		kept := withoutLinks(older)
		at := strings.LastIndex(string(got), kept)
		if at < 0 {
			t.Fatalf("the older part %q is gone from %q", kept, got)
		}
		if !strings.Contains(string(got[:at]), "1.2.0] - 2026-03-04") && !strings.Contains(string(got[:at]), "## 1.2.0 - 2026-03-04") &&
			!strings.Contains(string(got[:at]), "v1.2.0 - 2026-03-04") {
			t.Fatalf("no section above %q in %q", kept, got)
		}
	})
}

// withoutLinks cuts the definitions at the end of a file off.
func withoutLinks(s string) string {
	lines := strings.SplitAfter(s, "\n")
	for len(lines) > 1 {
		last := strings.TrimSpace(lines[len(lines)-1])
		if last != "" && (last[0] != '[' || !strings.Contains(last, "]:")) {
			break
		}
		lines = lines[:len(lines)-1]
	}
	return strings.Join(lines, "")
}
