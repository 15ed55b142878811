package version

import "testing"

func TestFromCommits(t *testing.T) {
	t.Parallel()
	const hash = "0123456789abcdef0123456789abcdef01234567"
	reverts := "This reverts commit " + hash + "."
	for name, c := range map[string]struct {
		commits []Commit
		want    Bump
	}{
		"none":                            {nil, None},
		"highest of several":              {commits("docs: x", "feat: y", "fix: z"), Minor},
		"words":                           {commits("Mend it"), Patch},
		"unknown type":                    {commits("perf: x"), Patch},
		"tests and the like":              {commits("test: x", "ci: x", "chore(deps): x", "style: x", "docs: x"), None},
		"breaking chore":                  {commits("chore!: x"), Major},
		"trailer above the type":          {[]Commit{{Subject: "fix: x", Body: "Changelog: added"}}, Minor},
		"trailer below the type":          {[]Commit{{Subject: "feat: x", Body: "Changelog: fixed"}}, Minor},
		"trailer of words":                {[]Commit{{Subject: "Drop x", Body: "text\n\nChangelog: removed\nSigned-off-by: Z"}}, Major},
		"trailer other":                   {[]Commit{{Subject: "Tidy", Body: "Changelog: other"}}, None},
		"trailer in the text":             {[]Commit{{Subject: "docs: x", Body: "we write\nChangelog: removed\nbelow"}}, None},
		"merge alone":                     {commits("Merge branch 'x' into 'main'"), None},
		"merge with a title":              {[]Commit{{Subject: "Merge branch 'x' into 'main'", Body: "feat: y\n\nSee merge request a/b!1"}}, Minor},
		"merge with a breaking title":     {[]Commit{{Subject: "Merge branch 'x' into 'main'", Body: "feat!: y\n\nSee merge request a/b!1"}}, Major},
		"merge with a trailer":            {[]Commit{{Subject: "Merge branch 'x' into 'main'", Body: "Y\n\nChangelog: fixed"}}, Patch},
		"squash of words":                 {[]Commit{{Subject: "Add cart (!12)", Body: "* feat: x\n* docs: y"}}, Minor},
		"squash of nothing shipped":       {[]Commit{{Subject: "Mend docs (!12)", Body: "* docs: x\n\n* ci: y"}}, None},
		"squash with a type of its own":   {[]Commit{{Subject: "chore: merge x", Body: "* feat: x"}}, None},
		"squash with a breaking footer":   {[]Commit{{Subject: "fix: x", Body: "* feat: x\n\nBREAKING CHANGE: y\n\n* fix: z"}}, Major},
		"list that is none of commits":    {[]Commit{{Subject: "Mend it", Body: "* first\n* second"}}, Patch},
		"revert by git":                   {[]Commit{{Subject: `Revert "feat: x"`, Body: reverts}, {Subject: "feat: x", Hash: hash}}, None},
		"revert without hashes":           {commits(`Revert "feat: x"`, "feat: x"), None},
		"revert of the specification":     {[]Commit{{Subject: "revert: no x", Body: "Refs: 0123456, 7654321"}, {Subject: "feat!: x", Hash: hash}}, None},
		"revert by the same subject":      {commits("revert: feat: x", "feat: x"), None},
		"revert of another hash":          {[]Commit{{Subject: `Revert "feat: x"`, Body: reverts}, {Subject: "feat: x", Hash: "fedcba9876"}}, Minor},
		"revert of something released":    {[]Commit{{Subject: `Revert "feat: x"`, Body: reverts}}, Patch},
		"revert with breaking":            {commits("revert!: y"), Major},
		"revert of a revert":              {commits(`Revert "Revert "feat: x""`, `Revert "feat: x"`, "feat: x"), Minor},
		"reapply":                         {commits(`Reapply "feat: x"`, `Revert "feat: x"`, "feat: x"), Minor},
		"revert of one of two alike":      {commits(`Revert "feat: x"`, "feat: x", "feat: x"), Minor},
		"a later commit of the same name": {commits("feat: x", `Revert "feat: x"`, "feat: x"), Minor},
	} {
		if got := FromCommits(c.commits); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
