package version

import "testing"

func commits(subjects ...string) []Commit {
	var list []Commit
	for _, s := range subjects {
		list = append(list, Commit{Subject: s})
	}
	return list
}

func TestCandidate(t *testing.T) {
	t.Parallel()
	const content = "0123456789abcdef"
	for name, c := range map[string]struct {
		s    State
		want string
	}{
		"first release":                   {State{Release: true}, "0.1.0"},
		"first, elsewhere":                {State{Content: content}, "0.1.0-dev.h01234567"},
		"feature":                         {State{Release: true, Prefix: "v", Tags: []string{"v0.1.0"}, Commits: commits("feat: x", "fix: y")}, "0.2.0"},
		"fix":                             {State{Release: true, Prefix: "v", Tags: []string{"v0.1.0"}, Commits: commits("fix: y", "docs: z")}, "0.1.1"},
		"words without a form":            {State{Release: true, Prefix: "v", Tags: []string{"v0.1.0"}, Commits: commits("Mend it")}, "0.1.1"},
		"breaking below one":              {State{Release: true, Prefix: "v", Tags: []string{"v0.4.2"}, Commits: commits("feat(api)!: x")}, "0.5.0"},
		"breaking":                        {State{Release: true, Prefix: "v", Tags: []string{"v1.4.2"}, Commits: commits("refactor!: x")}, "2.0.0"},
		"breaking footer":                 {State{Release: true, Prefix: "v", Tags: []string{"v1.4.2"}, Commits: []Commit{{Subject: "fix: x", Body: "text\n\nBREAKING CHANGE: y"}}}, "2.0.0"},
		"trailer":                         {State{Release: true, Prefix: "v", Tags: []string{"v1.4.2"}, Commits: []Commit{{Subject: "Add x", Body: "Changelog: added"}}}, "1.5.0"},
		"nothing to release":              {State{Release: true, Prefix: "v", Tags: []string{"v0.1.0"}, Commits: commits("docs: z"), Content: content}, "0.1.1-dev.h01234567"},
		"highest tag, not the last":       {State{Release: true, Prefix: "v", Tags: []string{"v0.10.0", "v0.9.0"}, Commits: commits("fix: x")}, "0.10.1"},
		"prefix of another service":       {State{Release: true, Prefix: "stock/v", Tags: []string{"v9.0.0", "stock/v0.1.0"}, Commits: commits("fix: x")}, "0.1.1"},
		"pre-releases do not count":       {State{Release: true, Prefix: "v", Tags: []string{"v0.2.0-rc.1", "v0.1.0"}, Commits: commits("fix: x")}, "0.1.1"},
		"development after a feature":     {State{Prefix: "v", Tags: []string{"v0.1.0"}, Commits: commits("feat: x"), Content: content}, "0.2.0-dev.h01234567"},
		"development without any commits": {State{Prefix: "v", Tags: []string{"v0.1.0"}, Content: content}, "0.1.1-dev.h01234567"},
	} {
		if got := Candidate(c.s); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
