package cli

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"gitlab.com/selfcontained/pipeline/pipeline/report/reporttest"
	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

// gitlabs are the GitLabs of scripts that run at the same time, by their folders.
type gitlabs struct {
	mu sync.Mutex
	of map[string]*gitlabtest.Project
}

func newGitLabs() *gitlabs { return &gitlabs{of: map[string]*gitlabtest.Project{}} }

func (g *gitlabs) commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"gitlab": g.start, "gitlabState": gitlabState, "gitlabMerge": g.merge, "gitlabRequest": g.request, "gitlabArtifact": g.artifact, "reports": reports,
	}
}

// project is the one of the script.
func (g *gitlabs) project(ts *testscript.TestScript) *gitlabtest.Project {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.of[ts.Getenv("WORK")]
}

// request has somebody open a merge request: gitlabRequest BRANCH AUTHOR. The
// script gets its number as CI_MERGE_REQUEST_IID.
func (g *gitlabs) request(ts *testscript.TestScript, _ bool, args []string) {
	number := g.project(ts).Request(args[1], "merge "+args[0], args[0], "main")
	ts.Setenv("CI_MERGE_REQUEST_IID", strconv.FormatInt(number, 10))
}

// artifact keeps a file as that of a job of a branch: gitlabArtifact BRANCH JOB
// FILE.
func (g *gitlabs) artifact(ts *testscript.TestScript, _ bool, args []string) {
	g.project(ts).JobFile(args[0], args[1], args[2], ts.ReadFile(args[2]))
}

// merge has people merge a branch: gitlabMerge BRANCH AUTHOR APPROVER...
func (g *gitlabs) merge(ts *testscript.TestScript, _ bool, args []string) {
	p := g.project(ts)
	number := p.Request(args[1], "merge "+args[0], args[0], "main")
	for _, approver := range args[2:] {
		p.Approve(number, approver)
	}
	_, err := p.Merge(number, "maria")
	ts.Check(err)
}

// start starts a GitLab with one project and its Maintainer: gitlab
// PROJECT. The script gets GITLAB_URL; GITLAB_TOKEN, of scope api, and
// GITLAB_REMOTE, the project for git with that token; GITLAB_JOB_TOKEN and
// GITLAB_JOB_REMOTE, the same of a CI job; GITLAB_READER, a token that may only
// read. Requests that GitLab does not know fail the script.
func (g *gitlabs) start(ts *testscript.TestScript, _ bool, args []string) {
	d, err := gitlabtest.Open(filepath.Join(ts.Getenv("WORK"), ".gitlab"))
	ts.Check(err)
	handler, _, err := gitlabtest.Checked(d, func(err error) { ts.Logf("%v", err); panic(err) })
	ts.Check(err)
	server := httptest.NewServer(handler)
	ts.Defer(server.Close)
	d.URL = server.URL
	p, err := d.Project(args[0])
	ts.Check(err)
	p.Member("maria", gitlabtest.Maintainer)
	g.mu.Lock()
	g.of[ts.Getenv("WORK")] = p
	g.mu.Unlock()
	token, job := d.AccessToken("maria", "api", "write_repository"), p.JobToken("maria")
	remote := func(user, password string) string {
		return strings.Replace(p.CloneURL(), "://", "://"+user+":"+password+"@", 1)
	}
	for name, value := range map[string]string{
		"GITLAB_URL": d.URL, "GITLAB_TOKEN": token, "GITLAB_REMOTE": remote("oauth2", token),
		"GITLAB_JOB_TOKEN": job, "GITLAB_JOB_REMOTE": remote("gitlab-ci-token", job),
		"GITLAB_READER": p.AccessToken(gitlabtest.Reporter, "read_api"),
	} {
		ts.Setenv(name, value)
	}
}

// reports checks the reports in a folder as GitLab does, and that those are there
// which are named: reports DIR NAME...
func reports(ts *testscript.TestScript, _ bool, args []string) {
	names, err := reporttest.CheckDir(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, name := range args[1:] {
		if !slices.Contains(names, name) {
			ts.Fatalf("no %s among %v", name, names)
		}
	}
}

// gitlabState prints what GitLab has into a file of the script: gitlabState
// FILE.
func gitlabState(ts *testscript.TestScript, _ bool, args []string) {
	d, err := gitlabtest.Open(filepath.Join(ts.Getenv("WORK"), ".gitlab"))
	ts.Check(err)
	data, err := d.Dump()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o644))
}
