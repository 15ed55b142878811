package gitlab_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/release/gitlab"
)

func TestFromEnvironment(t *testing.T) {
	t.Parallel()
	ci := map[string]string{
		"GITLAB_CI": "true", "CI_SERVER_URL": "https://gitlab.example.com:8443", "CI_PROJECT_PATH": "g/s/p", "CI_PROJECT_ID": "7", "CI_JOB_TOKEN": "job",
	}
	with := func(more ...string) map[string]string {
		env := map[string]string{}
		for k, v := range ci {
			env[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			env[more[i]] = more[i+1]
		}
		return env
	}
	type want struct {
		server, project string
		kind            gitlab.Kind
	}
	for name, test := range map[string]struct {
		env    map[string]string
		remote string
		want   want
		fails  bool
	}{
		"job":                      {with(), "git@other:a/b.git", want{"https://gitlab.example.com:8443", "g/s/p", gitlab.KindJob}, false},
		"access token wins":        {with("PIPELINE_GITLAB_TOKEN", "pat"), "", want{"https://gitlab.example.com:8443", "g/s/p", gitlab.KindAccess}, false},
		"number of the project":    {with("CI_PROJECT_PATH", ""), "", want{"https://gitlab.example.com:8443", "7", gitlab.KindJob}, false},
		"API address alone":        {with("CI_SERVER_URL", "", "CI_API_V4_URL", "https://x.org/gitlab/api/v4"), "", want{"https://x.org/gitlab", "g/s/p", gitlab.KindJob}, false},
		"other tokens are ignored": {map[string]string{"GITLAB_TOKEN": "x", "GL_TOKEN": "y"}, "git@h:a/b.git", want{}, true},
		"outside of CI":            {map[string]string{"PIPELINE_GITLAB_TOKEN": "pat"}, "git@h.org:a/b.git", want{"https://h.org", "a/b", gitlab.KindAccess}, false},
		"no remote":                {map[string]string{"PIPELINE_GITLAB_TOKEN": "pat"}, "", want{}, true},
		"CI without a project":     {map[string]string{"GITLAB_CI": "true", "CI_JOB_TOKEN": "job"}, "", want{}, true},
	} {
		c, err := gitlab.FromEnvironment(func(k string) string { return test.env[k] }, test.remote)
		if (err != nil) != test.fails {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := want{c.Server, c.Project, c.Token.Kind()}
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(want{})); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	if _, err := gitlab.FromEnvironment(func(string) string { return "" }, ""); !errors.Is(err, gitlab.ErrNoToken) {
		t.Errorf("nothing: %v", err)
	}
}

func TestParseRemote(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ remote, server, base, project string }{
		{"https://gitlab.com/group/project.git", "", "https://gitlab.com", "group/project"},
		{"https://gitlab.com/group/project", "", "https://gitlab.com", "group/project"},
		{"https://user:secret@gitlab.com/group/sub/project.git/", "", "https://gitlab.com", "group/sub/project"},
		{"http://gitlab.local:8080/a/b.git", "", "http://gitlab.local:8080", "a/b"},
		{"ssh://git@gitlab.example.com:2222/a/b/c.git", "", "https://gitlab.example.com", "a/b/c"},
		{"git+ssh://git@gitlab.example.com/a/b.git", "", "https://gitlab.example.com", "a/b"},
		{"ssh://git@[::1]:22/a/b.git", "", "https://[::1]", "a/b"},
		{"git@gitlab.example.com:a/b/c.git", "", "https://gitlab.example.com", "a/b/c"},
		{"gitlab.example.com:a/b", "", "https://gitlab.example.com", "a/b"},
		{"git@gitlab.example.com:/a/b.git", "", "https://gitlab.example.com", "a/b"},
		{"https://example.com/gitlab/a/b.git", "https://example.com/gitlab", "https://example.com/gitlab", "a/b"},
		{"git@example.com:a/b.git", "https://example.com/gitlab/", "https://example.com/gitlab", "a/b"},
		{"git@example.com:a/b.git", "http://example.com:8929", "http://example.com:8929", "a/b"},
		{"git@example.com:a/b.git", "https://elsewhere.org", "https://example.com", "a/b"},
		{"/srv/git/a/b.git", "", "", ""},
		{"./a:b/c", "", "", ""},
		{"file:///srv/a/b.git", "", "", ""},
		{"git@host:project", "", "", ""},
		{"https://host/a/b?x=y z", "", "https://host", "a/b"},
		{"", "", "", ""},
	} {
		base, project, err := gitlab.ParseRemote(test.remote, test.server)
		if base != test.base || project != test.project || (err == nil) != (test.base != "") {
			t.Errorf("%q: %q %q %v; want %q %q", test.remote, base, project, err, test.base, test.project)
		}
	}
}

func FuzzParseRemote(f *testing.F) {
	for _, seed := range []string{"https://u:p@h:1/a/b.git", "git@h:a/b.git", "ssh://git@[::1]:22/a/b.git", "a:b", "x://", "@:/", "http://[::1"} {
		f.Add(seed, "https://h/x")
		f.Add(seed, "")
	}
	f.Fuzz(func(t *testing.T, remote, server string) {
		base, project, err := gitlab.ParseRemote(remote, server)
		if err != nil {
			return
		}
		if strings.HasPrefix(project, "/") || strings.HasSuffix(project, "/") || !strings.Contains(base, "://") {
			t.Errorf("%q: %q %q", remote, base, project)
		}
		if server == "" && strings.Contains(base, "@") {
			t.Errorf("%q: credentials in %q", remote, base)
		}
	})
}

func TestConfigThatCannotBe(t *testing.T) {
	t.Parallel()
	token := gitlab.NewToken(gitlab.KindAccess, "glpat-verysecret")
	for name, c := range map[string]gitlab.Config{
		"no server":        {Project: "a/b", Token: token},
		"no scheme":        {Server: "gitlab.com", Project: "a/b", Token: token},
		"other scheme":     {Server: "ssh://gitlab.com", Project: "a/b", Token: token},
		"with credentials": {Server: "https://oauth2:verysecret@gitlab.com", Project: "a/b", Token: token},
		"with a query":     {Server: "https://gitlab.com?private_token=verysecret", Project: "a/b", Token: token},
		"no project":       {Server: "https://gitlab.com", Token: token},
		"no token":         {Server: "https://gitlab.com", Project: "a/b"},
		"blank token":      {Server: "https://gitlab.com", Project: "a/b", Token: gitlab.NewToken(gitlab.KindAccess, " \n")},
	} {
		_, err := gitlab.New(c)
		if err == nil || strings.Contains(fmt.Sprintf("%v %+v", err, c.Token), "verysecret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
