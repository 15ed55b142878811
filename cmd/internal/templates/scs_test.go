package templates

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// standIn takes the place of the program where a run of the real one would need
// a cluster and a world of releases. A promotion pushes, as the real one does.
const standIn = `#!/bin/sh
echo "called: $*"
case "$*" in
*" promote "*) git push --quiet origin "HEAD:refs/heads/env/$(echo "$*" | sed 's/.*--to //')" ;;
esac
`

// homeOf replaces the folder of the job's clone.
func homeOf(call string) string {
	return regexp.MustCompile(`\S+/\.kube/config`).ReplaceAllString(call, "HOME/.kube/config")
}

// TestSystem runs the pipelines of a system. The real commands have their own
// tests; this one is about what is called where, and after what.
func TestSystem(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, "../../../examples/shop/system", `
include:
  - component: $CI_SERVER_FQDN/selfcontained/pipeline/scs@COMMIT
    inputs:
      prepare: ["mkdir -p .kube", "touch .kube/config", "HOME=$PWD"]
      test-args: --force
      update-args: --parallel 4
`)
	c.provide(standIn)
	token := map[string]string{"PIPELINE_GITLAB_TOKEN": c.gitlab.AccessToken("maria", "api", "write_repository")}
	const cluster = "--kubeconfig HOME/.kube/config --kube-context  --cluster-registry "
	for _, v := range []struct {
		name      string
		variables map[string]string
		args      []string
		want      map[string]string
	}{
		{"merge request", map[string]string{"CI_PIPELINE_SOURCE": "merge_request_event", "CI_COMMIT_BRANCH": ""}, nil, map[string]string{
			"resolve": "scs resolve --dir .", "test": "scs test --dir . " + cluster + " --force",
		}},
		{"default branch", token, []string{"--manual", "system-promote-production"}, map[string]string{
			"test":            "scs test --dir . " + cluster + " --force",
			"promote-staging": "scs promote --dir . --to staging", "promote-production": "scs promote --dir . --to production",
			"verify-staging": "verify staging --dir .", "verify-production": "verify production --dir .",
			"deploy-staging":    "scs deploy staging --dir . --kubeconfig HOME/.kube/config",
			"deploy-production": "scs deploy production --dir . --kubeconfig HOME/.kube/config",
		}},
		{"schedule", map[string]string{"CI_PIPELINE_SOURCE": "schedule"}, nil, map[string]string{
			"update": "scs update --dir . --merge-request " + cluster + " --parallel 4",
			"status": "scs status --exit-code --dir . --kubeconfig HOME/.kube/config",
		}},
	} {
		got := c.runWith(v.variables, v.args...)
		calls := map[string]string{}
		for job, state := range got.jobs {
			name := strings.TrimPrefix(job, "system-")
			for line := range strings.Lines(got.log(job)) {
				if call, ok := strings.CutPrefix(line, "called: "); ok {
					calls[name] = strings.TrimSuffix(homeOf(call), "\n")
				}
			}
			if state != "PASS" {
				t.Errorf("%s: %s is %s:\n%s", v.name, job, state, got.text)
			}
		}
		if diff := cmp.Diff(v.want, calls); diff != "" {
			t.Errorf("%s: %s\n%s", v.name, diff, got.text)
		}
	}
	if refs := c.git("ls-remote", "origin", "refs/heads/env/*"); strings.Count(refs, "\n") != 1 {
		t.Errorf("branches of environments: %s", refs)
	}
	t.Run("without a token", func(t *testing.T) {
		got := c.runWith(nil, "--manual", "system-promote-production")
		if got.jobs["system-promote-staging"] != "FAIL" || got.jobs["system-deploy-staging"] != "" {
			t.Errorf("a job token pushes: %v\n%s", got.jobs, got.text)
		}
	})
}
