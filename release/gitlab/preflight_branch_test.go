package gitlab_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

// TestPreflightOfAPromotion names the rights that moving an environment takes.
func TestPreflightOfAPromotion(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind  gitlab.Kind
		token func(f *forge) string
		rules []gitlabtest.ProtectedTag
		want  []string
	}{
		"all there":      {gitlab.KindAccess, func(f *forge) string { return f.AccessToken("maria", "api") }, nil, nil},
		"for Developers": {gitlab.KindAccess, func(f *forge) string { return f.AccessToken("maria", "api") }, rules("env/*", gitlabtest.Developer), nil},
		"other branches": {gitlab.KindAccess, func(f *forge) string { return f.AccessToken("maria", "api") }, rules("release-*"), nil},
		"for nobody": {gitlab.KindAccess, func(f *forge) string { return f.AccessToken("maria", "api") }, rules("env/*", gitlabtest.NoAccess),
			[]string{"branch ?"}},
		"Developer": {gitlab.KindAccess, func(f *forge) string { return f.p.AccessToken(gitlabtest.Developer, "api") }, nil, []string{"branch ?"}},
		"Reporter": {gitlab.KindAccess, func(f *forge) string { return f.p.AccessToken(gitlabtest.Reporter, "api") }, nil,
			[]string{"deployment", "merge request", "branch ?"}},
		"scope read_api": {gitlab.KindAccess, func(f *forge) string { return f.AccessToken("maria", "read_api") }, nil, []string{"deployment", "merge request"}},
		"job": {gitlab.KindJob, func(f *forge) string { return f.p.JobToken("maria") }, nil,
			[]string{"merge request", "branch ?", "deployment ?"}},
		"job of another project": {gitlab.KindJob, func(f *forge) string { return f.MustProject("other/p").JobToken("maria") }, nil,
			[]string{"merge request", "branch ?", "deployment"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForge(t)
			f.p.ProtectBranch(c.rules...)
			found, err := f.as(t, c.kind, c.token(f)).Preflight(t.Context(), gitlab.Needs{Deploy: true, Request: true, Branch: "env/staging"})
			var got []string
			for _, m := range found {
				if m.Unknown {
					m.Need += " ?"
				}
				got = append(got, m.Need)
			}
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("%v %v\n%s", err, found, diff)
			}
			if len(f.writes()) > 0 {
				t.Errorf("written: %v", f.writes())
			}
		})
	}
}

func rules(pattern string, levels ...gitlabtest.Role) []gitlabtest.ProtectedTag {
	return []gitlabtest.ProtectedTag{{Pattern: pattern, Levels: levels}}
}
