package templates

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRed breaks a unit test and the chart: the jobs that look at these are red,
// each for its own reason, and those after them do not run. The report would run
// in GitLab; gitlab-ci-local waits for jobs that will never run, so it is started
// by hand, with what the others handed on.
func TestRed(t *testing.T) {
	if testing.Short() {
		t.Skip("runs whole pipelines of GitLab")
	}
	t.Parallel()
	c := newTiny(t, `
include:
  - local: templates/service/template.yml
    inputs:
      cluster: none
      go-cache: false
      release: auto
`)
	c.replace("half/half.go", "n / 2", "n / 3")
	c.replace("chart/templates/tiny.yaml", "{{ .Values.image.pullPolicy }}", "{{ .Values.image.pullPolicy")
	c.push("fix: break it")
	got := c.run(nil)
	want := map[string]string{
		"pipeline-build": "PASS", "pipeline-unit": "FAIL", "pipeline-lint": "PASS", "pipeline-container": "FAIL",
	}
	if diff := cmp.Diff(want, got.jobs); diff != "" || got.code == 0 {
		t.Fatalf("exit code %d, %s\n%s", got.code, diff, got.text)
	}
	for job, want := range map[string]string{
		"unit":      `(?s)unit +failed .*the half of 4 is not 2`,
		"container": `(?s)build +up to date .*container +failed .*tiny\.yaml`,
	} {
		if log := got.log("pipeline-" + job); !regexp.MustCompile(want).MatchString(log) {
			t.Errorf("the log of %s does not match %s:\n%s", job, want, log)
		}
		if n := strings.Count(got.text, "$ pipeline run "+job+" "); n != 1 || !regexp.MustCompile(`pipeline-`+job+` +finished in .* FAIL 1`).MatchString(got.text) {
			t.Errorf("%s was started %d times, want one that ends with 1:\n%s", job, n, got.text)
		}
	}
	if report := c.run(nil, "pipeline-report"); report.jobs["pipeline-report"] != "PASS" {
		t.Fatalf("the report:\n%s", report.text)
	}
	for _, text := range []string{"the half of 4 is not 2", "tiny.yaml"} {
		if page := c.artifact("pipeline-report", ".pipeline/reports/summary.md"); !strings.Contains(page, text) {
			t.Errorf("the report does not say %q:\n%s", text, page)
		}
	}
	c.replace("templates/service/template.yml", Variable+`: "`+Major+`"`, Variable+`: "7"`)
	c.push("chore: take the component of another version")
	other := c.run(nil, "pipeline-build")
	if log := other.log("pipeline-build"); !strings.Contains(log, "component is that of version 7") || !strings.Contains(other.text, " FAIL 2") {
		t.Errorf("a component of another major version is taken:\n%s", other.text)
	}
}
