package templates

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// situation is a pipeline that GitLab is about to make.
type situation struct {
	name      string
	variables map[string]string
}

func situations() []situation {
	return []situation{
		{"merge request", map[string]string{"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_IID": "1", "CI_COMMIT_BRANCH": ""}},
		{"default branch", nil},
		{"other branch", map[string]string{"CI_COMMIT_BRANCH": "feature"}},
		{"tag", map[string]string{"CI_COMMIT_TAG": "v0.1.0", "CI_COMMIT_BRANCH": ""}},
		{"schedule", map[string]string{"CI_PIPELINE_SOURCE": "schedule"}},
	}
}

// jobs are the jobs of a pipeline by the prefixes of their names. One behind a
// button has a ? at its end, one that always runs a !.
func (c *consumer) jobs(s situation) map[string]string {
	c.t.Helper()
	got := c.runWith(s.variables, "--list-json")
	start := strings.Index(got.text, "\n[")
	var list []struct{ Name, When string }
	if start < 0 || json.NewDecoder(strings.NewReader(got.text[start:])).Decode(&list) != nil {
		c.t.Fatalf("no list of jobs:\n%s", got.text)
	}
	marks := map[string]string{"on_success": "", "manual": "?", "always": "!"}
	names := map[string][]string{}
	for _, job := range list {
		if job.When == "never" {
			continue
		}
		mark, known := marks[job.When]
		prefix, name, ours := strings.Cut(job.Name, ".")
		if !known || !ours {
			c.t.Errorf("%s: job %s runs %s", s.name, job.Name, job.When)
		}
		names[prefix] = append(names[prefix], name+mark)
	}
	out := map[string]string{}
	for prefix, list := range names {
		slices.Sort(list)
		out[prefix] = strings.Join(list, " ")
	}
	return out
}

// TestRules lists the jobs of each kind of pipeline, for five includes of the
// components in one file: never the same stage in two pipelines of one commit.
func TestRules(t *testing.T) {
	if testing.Short() {
		t.Skip("runs whole pipelines of GitLab")
	}
	t.Parallel()
	c := newConsumer(t, tinyService, `
include:
  - local: templates/service/template.yml
    inputs: {prefix: plain.}
  - local: templates/service/template.yml
    inputs: {prefix: other., cluster: none, tag-pipelines: true, bench: never, release: never, own-stages: licences}
  - local: templates/service/template.yml
    inputs: {prefix: single., mode: single, release: auto}
  - local: templates/scs/template.yml
    inputs: {prefix: system.}
  - local: templates/scs/template.yml
    inputs: {prefix: little., promotion: staging, deploy: false, status: false, update: never}
`)
	want := map[string]map[string]string{
		"merge request": {
			"plain":  "build container integration lint module report! unit",
			"other":  "build container lint module own report! unit",
			"single": "run", "system": "resolve test", "little": "resolve test",
		},
		"default branch": {
			"plain":  "build container integration lint module release? report! unit",
			"other":  "build container lint module own report! unit",
			"single": "release run",
			"system": "deploy-production deploy-staging promote-production? promote-staging test verify-production verify-staging",
			"little": "promote-staging test verify-staging",
		},
		"other branch": {},
		"tag":          {"other": "build container lint module own report! unit"},
		"schedule":     {"plain": "bench", "single": "bench", "system": "status update"},
	}
	for _, s := range situations() {
		if diff := cmp.Diff(want[s.name], c.jobs(s)); diff != "" {
			t.Errorf("%s: %s", s.name, diff)
		}
	}
}
