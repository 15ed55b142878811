package gitlab_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

const (
	onDeployments = "POST /projects/:id/deployments"
	onDeployment  = "PUT /projects/:id/deployments/:deployment_id"
)

func (f *forge) deployment() gitlab.Deployment {
	return gitlab.Deployment{Environment: "staging", SHA: f.commit, Ref: "main", Status: gitlab.DeploymentSuccess}
}

// What a look foretells is what then happens, and the look changes nothing.
func TestDeployment(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	d := f.deployment()
	for i, step := range []struct {
		change      func()
		deployment  gitlab.Outcome
		environment gitlab.Outcome
	}{
		{func() {}, gitlab.Created, gitlab.Kept},
		{func() {}, gitlab.Found, gitlab.Kept},
		{func() { d.URL = "https://staging.example.com" }, gitlab.Found, gitlab.Updated},
		{func() {}, gitlab.Found, gitlab.Found},
		{func() { f.p.Deploy("staging", f.commit, "main", "failed", "anna") }, gitlab.Created, gitlab.Found},
		{func() { d.Environment, d.URL, d.Status = "production", "", gitlab.DeploymentRunning }, gitlab.Created, gitlab.Kept},
		{func() { d.Status = gitlab.DeploymentSuccess }, gitlab.Updated, gitlab.Kept},
		{func() {
			f.commit = f.MustCommit(f.p, "env/production", "move")
			d.SHA, d.Ref = f.commit, "env/production"
		}, gitlab.Created, gitlab.Kept},
	} {
		step.change()
		before := f.dump(t)
		foretold, err := f.c.LookDeployment(t.Context(), d)
		if err != nil || foretold.Deployment != step.deployment || foretold.Environment != step.environment {
			t.Errorf("step %d: a look foretells %+v, %v", i, foretold, err)
		}
		if diff := cmp.Diff(before, f.dump(t)); diff != "" {
			t.Errorf("step %d: the look changed something:\n%s", i, diff)
		}
		done, err := f.c.EnsureDeployment(t.Context(), d)
		if step.deployment == gitlab.Created {
			foretold.ID = done.ID
		}
		if diff := cmp.Diff(foretold, done); err != nil || diff != "" || done.ID == 0 {
			t.Errorf("step %d: %v\n(-foretold +done)\n%s", i, err, diff)
		}
		if foretold.Complete() == (f.dump(t) != before) {
			t.Errorf("step %d: complete is %v", i, foretold.Complete())
		}
	}
}

// An answer that is lost leaves one deployment; a job token is enough.
func TestDeploymentOnce(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	for range 120 { // more than a page
		f.p.Deploy("staging", f.commit, "other", "success", "anna")
	}
	f.Fault(gitlabtest.Fault{On: onDeployments, Status: 502, After: true})
	f.Fault(gitlabtest.Fault{On: onDeployments, Cut: true})
	job := f.as(t, gitlab.KindJob, f.p.JobToken("maria"))
	d := f.deployment()
	if got, err := job.EnsureDeployment(t.Context(), d); err != nil || got.Deployment != gitlab.Found {
		t.Errorf("%+v, %v", got, err)
	}
	f.p.Deploy("staging", f.commit, "main", "running", "anna")
	f.Fault(gitlabtest.Fault{On: onDeployment, Status: 502, After: true})
	if got, err := job.EnsureDeployment(t.Context(), d); err != nil || got.Deployment != gitlab.Found {
		t.Errorf("%+v, %v", got, err)
	}
	if n := strings.Count(f.dump(t), `"ref": "main"`); n != 2 {
		t.Errorf("%d deployments of main", n)
	}
}

func TestDeploymentThatCannotBe(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	for name, spoil := range map[string]func(*gitlab.Deployment){
		"short commit":   func(d *gitlab.Deployment) { d.SHA = d.SHA[:8] },
		"no environment": func(d *gitlab.Deployment) { d.Environment = "" },
		"no ref":         func(d *gitlab.Deployment) { d.Ref = "" },
		"status":         func(d *gitlab.Deployment) { d.Status = "blocked" },
	} {
		d := f.deployment()
		spoil(&d)
		_, err := f.c.EnsureDeployment(t.Context(), d)
		_, err2 := f.c.LookDeployment(t.Context(), d)
		if err == nil || err2 == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if len(f.Journal()) > 0 {
		t.Errorf("GitLab was asked: %v", f.Journal())
	}
	d := f.deployment()
	d.SHA = strings.Repeat("0", 40)
	if _, err := f.c.EnsureDeployment(t.Context(), d); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("unknown commit: %v", err)
	}
	reporter := f.as(t, gitlab.KindAccess, f.p.AccessToken(gitlabtest.Reporter, "api"))
	if _, err := reporter.EnsureDeployment(t.Context(), f.deployment()); err == nil || !strings.Contains(err.Error(), "Members") {
		t.Errorf("a Reporter: %v", err)
	}
}
