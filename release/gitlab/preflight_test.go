package gitlab_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

func everything() gitlab.Needs {
	return gitlab.Needs{Tag: "v1.0.0", Release: true, Assets: true, Review: true, Note: true, Push: true}
}

// Each permission is removed in turn. What is said is compared with what then
// really happens, and the check itself must not write.
func TestPreflight(t *testing.T) {
	t.Parallel()
	const unknown = " ?"
	maintainers := gitlabtest.ProtectedTag{Pattern: "v*", Levels: []gitlabtest.Role{gitlabtest.Maintainer}}
	for name, test := range map[string]struct {
		token func(*forge) (gitlab.Kind, string)
		needs func(*gitlab.Needs)
		want  []string // need: part of the right, "?" when unknown
	}{
		"all there": {token: access(gitlabtest.Maintainer, "api")},
		"as a bot of the project": {token: func(f *forge) (gitlab.Kind, string) {
			return gitlab.KindAccess, f.p.AccessToken(gitlabtest.Maintainer, "api", "write_repository")
		}},
		"token unknown": {
			token: func(*forge) (gitlab.Kind, string) { return gitlab.KindAccess, "glpat-none" },
			want:  []string{": a token that is valid"},
		},
		"token revoked": {
			token: func(f *forge) (gitlab.Kind, string) {
				value := f.AccessToken("maria", "api")
				f.Revoke(value)
				return gitlab.KindAccess, value
			},
			want: []string{": a token that is valid"},
		},
		"scope read_api": {
			token: access(gitlabtest.Maintainer, "read_api"),
			want:  []string{"release: the scope api", "assets: the scope api", "note: the scope api", "push: the scope api or write_repository"},
		},
		"scope write_repository": {
			token: access(gitlabtest.Maintainer, "write_repository"),
			want:  []string{"release: the scope api", "assets: the scope api", "review: the scope api or read_api", "note: the scope api", ": reading the project, scope read_api or api,"},
		},
		"no member": {token: access(gitlabtest.NoAccess, "api"), want: []string{": access to group/sub/app"}},
		"Reporter": {
			token: access(gitlabtest.Reporter, "api"),
			want:  []string{"release: the role Developer of the token's user (it has Reporter)", "assets: the role Developer", "push: the role Developer"},
		},
		"Guest": {
			token: access(gitlabtest.Guest, "api"),
			want:  []string{"release: the role Developer", "assets: the role Developer", "review: the role Reporter", "note: the role Reporter", "push: the role Developer"},
		},
		"Developer, who may not read about tags": {
			token: access(gitlabtest.Developer, "api"), want: []string{"tag: creating tag v1.0.0" + unknown},
		},
		"Developer, protected tag, probed": {
			token: protected(access(gitlabtest.Developer, "api"), maintainers), needs: probe, want: []string{"tag: creating tag v1.0.0"},
		},
		"Developer, tag for all, probed": {token: access(gitlabtest.Developer, "api"), needs: probe},
		"Maintainer, tag for nobody": {
			token: protected(access(gitlabtest.Maintainer, "api"), gitlabtest.ProtectedTag{Pattern: "v*.0", Levels: []gitlabtest.Role{gitlabtest.NoAccess}}),
			want:  []string{"tag: creating tag v1.0.0"},
		},
		"Maintainer, tag for somebody else": {
			token: protected(access(gitlabtest.Maintainer, "api"), gitlabtest.ProtectedTag{Pattern: "*", Users: []string{"somebody"}}),
			want:  []string{"tag: creating tag v1.0.0"},
		},
		"Maintainer, tag for maria": {
			token: protected(access(gitlabtest.Maintainer, "api"), gitlabtest.ProtectedTag{Pattern: "v*", Users: []string{"maria"}}),
		},
		"Maintainer, other tags protected": {
			token: protected(access(gitlabtest.Maintainer, "api"), gitlabtest.ProtectedTag{Pattern: "x*", Levels: []gitlabtest.Role{gitlabtest.NoAccess}}),
		},
		"Maintainer, protected tag": {token: protected(access(gitlabtest.Maintainer, "api"), maintainers)},
		"archived": {
			token: set(access(gitlabtest.Maintainer, "api"), func(s *gitlabtest.Settings) { s.Archived = true }),
			want:  []string{": a project that may be written to"},
		},
		"releases off": {
			token: set(access(gitlabtest.Maintainer, "api"), func(s *gitlabtest.Settings) { s.NoReleases = true }),
			want:  []string{"release: releases in the project"},
		},
		"packages off": {
			token: set(access(gitlabtest.Maintainer, "api"), func(s *gitlabtest.Settings) { s.NoPackages = true }),
			want:  []string{"assets: the package registry"},
		},
		"OAuth, which has no page about itself": {
			token: func(f *forge) (gitlab.Kind, string) { return gitlab.KindOAuth, f.OAuthToken("maria", "api") },
			want: []string{"release: the scope api" + unknown, "assets: the scope api" + unknown, "review: the scope api or read_api" + unknown,
				"note: the scope api" + unknown, "push: the scope api or write_repository" + unknown},
		},
		"OAuth without a scope": {
			token: func(f *forge) (gitlab.Kind, string) { return gitlab.KindOAuth, f.OAuthToken("maria", "openid") },
			want: []string{"release: the scope api", "assets: the scope api", "review: the scope api or read_api", "note: the scope api",
				"push: the scope api or write_repository", ": reading the project"},
		},
		"job token": {
			token: job("maria"),
			want: []string{"review: reading approvals", "note: writing notes", "push: git push with the job token" + unknown,
				"release: the role Developer of maria" + unknown, "tag: creating tag v1.0.0" + unknown, "assets: the role Developer of maria" + unknown},
		},
		"job token for a release alone, probed": {token: job("maria"), needs: func(n *gitlab.Needs) { *n = gitlab.Needs{Tag: "v1.0.0", Assets: true, Probe: true} }},
		"job token of a Reporter, probed": {
			token: func(f *forge) (gitlab.Kind, string) {
				f.p.Member("rita", gitlabtest.Reporter)
				return gitlab.KindJob, f.p.JobToken("rita")
			},
			needs: func(n *gitlab.Needs) { *n = gitlab.Needs{Tag: "v1.0.0", Assets: true, Probe: true} },
			want:  []string{"release: the role Developer", "assets: the role Developer"},
		},
		"job token, protected tag, probed": {
			token: protected(job("maria"), gitlabtest.ProtectedTag{Pattern: "v*", Levels: []gitlabtest.Role{gitlabtest.NoAccess}}),
			needs: func(n *gitlab.Needs) { *n = gitlab.Needs{Tag: "v1.0.0", Assets: true, Probe: true} },
			want:  []string{"tag: creating tag v1.0.0"},
		},
		"job has ended": {
			token: func(f *forge) (gitlab.Kind, string) {
				value := f.p.JobToken("maria")
				f.Revoke(value)
				return gitlab.KindJob, value
			},
			want: []string{": a job that runs"},
		},
		"job of another project": {
			token: func(f *forge) (gitlab.Kind, string) {
				return gitlab.KindJob, f.MustProject("other/project").JobToken("maria")
			},
			needs: func(n *gitlab.Needs) { *n = gitlab.Needs{Release: true} },
			want:  []string{": access of maria to group/sub/app"},
		},
		"job token, packages off": {
			token: set(job("maria"), func(s *gitlabtest.Settings) { s.NoPackages = true }),
			needs: func(n *gitlab.Needs) { *n = gitlab.Needs{Assets: true} },
			want:  []string{"assets: reading packages"},
		},
		"job token, releases off": {
			token: set(job("maria"), func(s *gitlabtest.Settings) { s.NoReleases = true }),
			needs: func(n *gitlab.Needs) { *n = gitlab.Needs{Tag: "v1.0.0"} },
			want:  []string{"release: reading releases"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForge(t)
			kind, value := test.token(f)
			needs := everything()
			if test.needs != nil {
				test.needs(&needs)
			}
			before := f.dump(t)
			c := f.as(t, kind, value)
			found, err := c.Preflight(t.Context(), needs)
			if err != nil {
				t.Fatal(err)
			}
			checkFound(t, found, test.want)
			if diff := cmp.Diff(before, f.dump(t)); diff != "" || len(f.writes()) > 0 {
				t.Errorf("the check wrote: %v", f.writes())
			}
			for _, e := range f.Journal() {
				if e.Method != "GET" && !needs.Probe {
					t.Errorf("the check sent %s", e.On())
				}
			}
			f.agree(t, c, found)
		})
	}
}

func checkFound(t *testing.T, found []gitlab.Missing, want []string) {
	t.Helper()
	var got []string
	for _, m := range found {
		s := m.Need + ": " + m.Right
		if m.Unknown {
			s += " ?"
		}
		got = append(got, s)
		if !strings.Contains(m.String(), m.Setting) || len(m.Setting) < 10 {
			t.Errorf("no setting is named: %s", m)
		}
	}
	for _, w := range want {
		if !slices.ContainsFunc(got, func(g string) bool {
			return strings.HasPrefix(g, strings.TrimSuffix(w, " ?")) && strings.HasSuffix(g, " ?") == strings.HasSuffix(w, " ?")
		}) {
			t.Errorf("%q is not named", w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %d:\n%s", len(got), strings.Join(got, "\n"))
	}
}

// agree does the thing and compares: what was named as missing fails, and what
// was not named works.
func (f *forge) agree(t *testing.T, c *gitlab.Client, found []gitlab.Missing) {
	t.Helper()
	named := func(needs ...string) (missing, unknown bool) {
		for _, m := range found {
			if m.Need == "" || slices.Contains(needs, m.Need) {
				missing, unknown = missing || !m.Unknown, unknown || m.Unknown
			}
		}
		return missing, unknown
	}
	_, err := c.EnsureRelease(t.Context(), f.release())
	if missing, unknown := named("release", "tag"); !unknown && missing != (err != nil) {
		t.Errorf("release: %v, missing was %v", err, missing)
	}
	_, err = c.EnsureAsset(t.Context(), asset("bytes"))
	if missing, unknown := named("assets"); !unknown && missing != (err != nil) && !f.onlyOf(found, "release") {
		t.Errorf("assets: %v, missing was %v", err, missing)
	}
}

// onlyOf tells that nothing was asked or said about anything else.
func (f *forge) onlyOf(found []gitlab.Missing, need string) bool {
	return !slices.ContainsFunc(found, func(m gitlab.Missing) bool { return m.Need != need })
}

func access(role gitlabtest.Role, scopes ...string) func(*forge) (gitlab.Kind, string) {
	return func(f *forge) (gitlab.Kind, string) {
		f.p.Member("maria", role)
		return gitlab.KindAccess, f.AccessToken("maria", scopes...)
	}
}

func job(user string) func(*forge) (gitlab.Kind, string) {
	return func(f *forge) (gitlab.Kind, string) { return gitlab.KindJob, f.p.JobToken(user) }
}

func protected(token func(*forge) (gitlab.Kind, string), rule gitlabtest.ProtectedTag) func(*forge) (gitlab.Kind, string) {
	return func(f *forge) (gitlab.Kind, string) {
		for _, user := range rule.Users {
			f.User(user)
		}
		f.p.Protect(rule)
		return token(f)
	}
}

func set(token func(*forge) (gitlab.Kind, string), change func(*gitlabtest.Settings)) func(*forge) (gitlab.Kind, string) {
	return func(f *forge) (gitlab.Kind, string) {
		f.p.Set(change)
		return token(f)
	}
}

func probe(n *gitlab.Needs) { n.Probe = true }
