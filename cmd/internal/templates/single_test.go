package templates

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSingle includes the component of another project at a commit, and runs the
// pipeline of a merge request in one job, with a prefix of its own, a command
// that comes first and more in the hidden job that all share.
func TestSingle(t *testing.T) {
	if testing.Short() {
		t.Skip("runs whole pipelines of GitLab")
	}
	t.Parallel()
	c := newTiny(t, `
include:
  - component: $CI_SERVER_FQDN/selfcontained/pipeline/service@COMMIT
    inputs:
      prefix: tiny.
      mode: single
      cluster: none
      args: --jobs 2
      prepare: ["GREETING=hello", "export GREETING"]
.tiny.job:
  variables:
    MORE: from the consumer
tiny.run:
  after_script:
    - echo "$MORE, not $GREETING"
    - pipeline report --note
`)
	c.inPlace = true // isolated, after_script would not have what script left
	c.git("checkout", "--quiet", "-b", "feature")
	c.write("README.md", "# tiny, and its halves\n")
	c.push("docs: halves")
	number := c.project.Request("maria", "Halves", "feature", "main")
	got := c.run(map[string]string{
		"CI_PIPELINE_SOURCE": "merge_request_event", "CI_COMMIT_BRANCH": "", "CI_MERGE_REQUEST_IID": fmt.Sprint(number),
		"PIPELINE_GITLAB_TOKEN": c.gitlab.AccessToken("maria", "api"),
	})
	if diff := cmp.Diff(map[string]string{"tiny.run": "PASS"}, got.jobs); diff != "" {
		t.Fatalf("%s\n%s", diff, got.text)
	}
	if notes := c.notes(number); len(notes) != 1 || !strings.Contains(notes[0], "module") || !strings.Contains(notes[0], "100") {
		t.Errorf("notes of the merge request: %q\n%s", notes, got.text)
	}
	for _, file := range []string{"report.html", "pipeline.env", "metrics.txt", "codequality.json", "coverage-tiny.xml", "junit-tiny-module.xml", "tiny.cdx.json"} {
		if info, err := os.Stat(filepath.Join(c.dir, ".pipeline", "reports", file)); err != nil || info.Size() == 0 {
			t.Errorf("there is no %s to hand on: %v", file, err)
		}
	}
}

// notes returns the notes of a merge request.
func (c *consumer) notes(number int64) []string {
	c.t.Helper()
	address := fmt.Sprintf("%s/api/v4/projects/%d/merge_requests/%d/notes", c.gitlab.URL, c.project.ID, number)
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("PRIVATE-TOKEN", c.gitlab.AccessToken("maria", "api"))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	var notes []struct{ Body string }
	if err := json.NewDecoder(res.Body).Decode(&notes); err != nil {
		c.t.Fatal(err)
	}
	var bodies []string
	for _, n := range notes {
		bodies = append(bodies, n.Body)
	}
	return bodies
}
