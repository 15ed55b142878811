package version

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The cases follow the numbers of conventionalcommits.org 1.0.0.
func TestParse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		commit Commit
		want   Message
	}{
		"1: type":                        {Commit{Subject: "feat: add x"}, Message{Type: "feat", Description: "add x"}},
		"1: no space":                    {Commit{Subject: "feat:add x"}, Message{Description: "feat:add x"}},
		"1: no description":              {Commit{Subject: "feat: "}, Message{Description: "feat:"}},
		"4: scope":                       {Commit{Subject: "fix(api v2)!: y"}, Message{Type: "fix", Scope: "api v2", Description: "y", Breaking: true}},
		"4: text with a colon":           {Commit{Subject: "Say hello: loudly"}, Message{Description: "Say hello: loudly"}},
		"6: body of paragraphs":          {Commit{Subject: "fix: y", Body: "one\n\ntwo: or not\n"}, Message{Type: "fix", Description: "y", Text: "one", Footers: []Footer{{"two", "or not"}}}},
		"8: both separators":             {Commit{Subject: "fix: y", Body: "Fixes #12\nReviewed-by: Z"}, Message{Type: "fix", Description: "y", Footers: []Footer{{"Fixes", "12"}, {"Reviewed-by", "Z"}}}},
		"8: no blank line, no footer":    {Commit{Subject: "fix: y", Body: "text\nBREAKING CHANGE: z"}, Message{Type: "fix", Description: "y", Text: "text\nBREAKING CHANGE: z"}},
		"9: a space in a token":          {Commit{Subject: "fix: y", Body: "Reviewed by: Z"}, Message{Type: "fix", Description: "y", Text: "Reviewed by: Z"}},
		"10: several lines":              {Commit{Subject: "fix: y", Body: "text\n\nBREAKING CHANGE: one\ntwo\n\nthree\nRefs: a"}, Message{Type: "fix", Description: "y", Text: "text", Footers: []Footer{{"BREAKING CHANGE", "one\ntwo\n\nthree"}, {"Refs", "a"}}, Breaking: true}},
		"12: breaking after another":     {Commit{Subject: "chore: y", Body: "Refs: a\nBREAKING CHANGE: z"}, Message{Type: "chore", Description: "y", Footers: []Footer{{"Refs", "a"}, {"BREAKING CHANGE", "z"}}, Breaking: true}},
		"12: breaking without a text":    {Commit{Subject: "chore: y", Body: "BREAKING CHANGE: "}, Message{Type: "chore", Description: "y", Text: "BREAKING CHANGE: "}},
		"12: breaking with a hash":       {Commit{Subject: "chore: y", Body: "BREAKING CHANGE #4"}, Message{Type: "chore", Description: "y", Footers: []Footer{{"BREAKING CHANGE", "4"}}, Breaking: true}},
		"15: case of the type":           {Commit{Subject: "FEAT(API): x"}, Message{Type: "feat", Scope: "API", Description: "x"}},
		"15: case of BREAKING CHANGE":    {Commit{Subject: "fix: y", Body: "Breaking change: z"}, Message{Type: "fix", Description: "y", Text: "Breaking change: z"}},
		"15: case of BREAKING-CHANGE":    {Commit{Subject: "fix: y", Body: "breaking-change: z"}, Message{Type: "fix", Description: "y", Footers: []Footer{{"breaking-change", "z"}}}},
		"16: BREAKING-CHANGE":            {Commit{Subject: "fix: y", Body: "BREAKING-CHANGE: z"}, Message{Type: "fix", Description: "y", Footers: []Footer{{"BREAKING-CHANGE", "z"}}, Breaking: true}},
		"carriage returns":               {Commit{Subject: "fix: y", Body: "a\r\n\r\nBREAKING CHANGE: z\r\n"}, Message{Type: "fix", Description: "y", Text: "a", Footers: []Footer{{"BREAKING CHANGE", "z"}}, Breaking: true}},
		"a type with digits and hyphens": {Commit{Subject: "i18n-fix: y"}, Message{Type: "i18n-fix", Description: "y"}},
	} {
		if diff := cmp.Diff(c.want, Parse(c.commit)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestBreakingText(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{"": "x", "BREAKING CHANGE: y\nz": "y\nz"} {
		if got := Parse(Commit{Subject: "feat!: x", Body: body}).BreakingText(); got != want {
			t.Errorf("%q: %q, want %q", body, got, want)
		}
	}
	if got := Parse(Commit{Subject: "feat: x"}).BreakingText(); got != "" {
		t.Errorf("not breaking: %q", got)
	}
}

// A body that Parse has taken apart and that is put together again reads the
// same, and nothing that a message says gets lost.
func FuzzParse(f *testing.F) {
	f.Add("feat(x)!: y", "text\n\nBREAKING CHANGE: a\nb\n\nRefs #1")
	f.Add("Revert \"feat: x\"", "This reverts commit 0123456789.")
	f.Add("Merge branch 'a' into 'b'", "feat: x\n\nSee merge request a/b!1")
	f.Add(": ", " #\n: \n")
	f.Fuzz(func(t *testing.T, subject, body string) {
		m := Parse(Commit{Subject: subject, Body: body})
		again := m.Text
		for i, footer := range m.Footers {
			if i == 0 {
				again += "\n\n"
			}
			again += footer.Token + ": " + footer.Value + "\n"
		}
		if diff := cmp.Diff(m, Parse(Commit{Subject: subject, Body: again})); diff != "" {
			t.Errorf("%q reads differently when written again as %q:\n%s", body, again, diff)
		}
		bump := FromCommits([]Commit{{Subject: subject, Body: body}})
		if m.Breaking && bump != Major {
			t.Errorf("breaking, but %v", bump)
		}
	})
}
