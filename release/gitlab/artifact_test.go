package gitlab_test

import (
	"strings"
	"testing"

	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

const onJobFile = "GET /projects/:id/jobs/artifacts/:ref_name/raw/*artifact_path"

func TestJobFile(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	const path, job = ".pipeline/reports/figures.json", "pipeline-report: [a b]"
	f.p.JobFile("feature/x.y", job, path, "{}")
	f.p.JobFile("main", job, ".pipeline/a b/ä.json", "odd")
	for name, c := range map[string]*gitlab.Client{
		"access token": f.c, "job token": f.as(t, gitlab.KindJob, f.p.JobToken("maria")),
		"stranger": f.as(t, gitlab.KindAccess, f.AccessToken("stranger", "api")),
	} {
		for _, test := range []struct{ ref, job, path, want string }{
			{"feature/x.y", job, path, "{}"}, {"main", job, ".pipeline/a b/ä.json", "odd"},
			{"main", job, path, ""}, {"feature/x.y", "another", path, ""}, {"gone", job, path, ""},
		} {
			if name == "stranger" {
				test.want = "" // GitLab does not even tell that the project is there
			}
			got, err := c.JobFile(t.Context(), test.ref, test.job, test.path)
			if err != nil || string(got) != test.want || (got == nil) != (test.want == "") {
				t.Errorf("%s, %+v: %q, %v", name, test, got, err)
			}
		}
	}
}

func TestJobFileErrors(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	f.Fault(gitlabtest.Fault{On: onJobFile, Status: 403})
	if got, err := f.c.JobFile(t.Context(), "main", "report", "a"); got != nil || err == nil || !strings.Contains(err.Error(), "Reporter") || !strings.Contains(err.Error(), "read a of job report on main") {
		t.Errorf("%q, %v", got, err)
	}
	f.Fault(gitlabtest.Fault{On: onJobFile, Status: 503, Times: 100})
	if got, err := f.c.JobFile(t.Context(), "main", "report", "a"); got != nil || err == nil {
		t.Errorf("%q, %v", got, err)
	}
}
