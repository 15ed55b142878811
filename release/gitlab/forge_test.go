package gitlab_test

import (
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

// forge is a GitLab with one project, and a client of it.
type forge struct {
	*gitlabtest.Server
	p      *gitlabtest.Project
	commit string // the head of main
	c      *gitlab.Client
}

// newForge signs in as "maria", a Maintainer, with a personal access token.
func newForge(t *testing.T) *forge {
	t.Helper()
	f := &forge{Server: gitlabtest.New(t)}
	f.p = f.MustProject("group/sub/app")
	f.commit = f.MustCommit(f.p, "main", "feat: second")
	f.p.Member("maria", gitlabtest.Maintainer)
	f.c = f.as(t, gitlab.KindAccess, f.AccessToken("maria", "api"))
	return f
}

func (f *forge) as(t *testing.T, kind gitlab.Kind, value string) *gitlab.Client {
	t.Helper()
	return f.with(t, func(c *gitlab.Config) { c.Token = gitlab.NewToken(kind, value) })
}

// with is a client of maria with another configuration.
func (f *forge) with(t *testing.T, change func(*gitlab.Config)) *gitlab.Client {
	t.Helper()
	config := gitlab.Config{Server: f.URL, Project: f.p.Path, Pause: time.Millisecond, Settle: 2 * time.Second}
	change(&config)
	if config.Token.Kind() == "" {
		config.Token = gitlab.NewToken(gitlab.KindAccess, f.AccessToken("maria", "api"))
	}
	c, err := gitlab.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// writes counts the requests that changed something, by "METHOD pattern".
func (f *forge) writes() map[string]int {
	counts := map[string]int{}
	for _, e := range f.Journal() {
		if e.Changed {
			counts[e.On()]++
		}
	}
	return counts
}

func (f *forge) dump(t *testing.T) string {
	t.Helper()
	data, err := f.Dump()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

const (
	onReleases = "POST /projects/:id/releases"
	onRelease  = "GET /projects/:id/releases/:tag_name"
	onGeneric  = "PUT /projects/:id/packages/generic/:package_name/:package_version/:file_name"
	onTag      = "GET /projects/:id/repository/tags/:tag_name"
)
