//go:build cluster

package story

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

// forge is the GitLab of the story's one script.
type forge struct {
	double  *gitlabtest.Double
	project *gitlabtest.Project
}

func (f *forge) commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){"gitlab": f.start, "request": f.request, "merge": f.merge}
}

// start starts a GitLab with one project over a bare repository: gitlab PROJECT
// REPOSITORY. The script gets GITLAB_REMOTE, the project for git, and
// GITLAB_TOKEN, a bot's.
func (f *forge) start(ts *testscript.TestScript, _ bool, args []string) {
	var err error
	f.double, err = gitlabtest.Open(filepath.Join(ts.Getenv("WORK"), ".gitlab"))
	ts.Check(err)
	handler, _, err := gitlabtest.Checked(f.double, func(err error) { ts.Logf("%v", err); panic(err) })
	ts.Check(err)
	server := httptest.NewServer(handler)
	ts.Defer(server.Close)
	f.double.URL = server.URL
	f.project, err = f.double.ProjectOver(args[0], args[1])
	ts.Check(err)
	f.project.Member("maria", gitlabtest.Maintainer)
	token := f.project.AccessToken(gitlabtest.Developer, "api", "write_repository")
	ts.Setenv("GITLAB_TOKEN", token)
	ts.Setenv("GITLAB_REMOTE", strings.Replace(f.project.CloneURL(), "://", "://oauth2:"+token+"@", 1))
}

// request writes the title and the description of the only merge request into a
// file: request FILE.
func (f *forge) request(ts *testscript.TestScript, _ bool, args []string) {
	data, err := f.double.Dump()
	ts.Check(err)
	var projects map[string]struct {
		Requests []struct{ Title, Description string } `json:"merge_requests"`
	}
	ts.Check(json.Unmarshal(data, &projects))
	requests := projects[f.project.Path].Requests
	if len(requests) != 1 {
		ts.Fatalf("there is not one merge request:\n%s", data)
	}
	r := requests[0]
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(r.Title+"\n\n"+r.Description), 0o644))
}

// merge has a Maintainer merge a merge request: merge NUMBER.
func (f *forge) merge(ts *testscript.TestScript, _ bool, args []string) {
	number, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	_, err = f.project.Merge(number, "maria")
	ts.Check(err)
}
