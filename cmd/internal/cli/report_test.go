package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/report"
	"gitlab.com/selfcontained/pipeline/release/version"
)

// recordOf makes a record of a run at a minute: texts are "NODE STATUS", with
// "up to date" for a status, or with nothing for a node that did not end.
func recordOf(minute int, texts ...string) *pipeline.Record {
	rec := &pipeline.Record{ID: fmt.Sprintf("run%d", minute), Started: time.Date(2026, 11, 21, 10, minute, 0, 0, time.UTC)}
	rec.Ended = rec.Started.Add(30 * time.Second)
	for i, text := range texts {
		node, status, ended := strings.Cut(text, " ")
		service, kind, _ := strings.Cut(node, "/")
		r := pipeline.Result{Node: node, Service: service, Kind: kind, Status: pipeline.Status(status), Started: rec.Started.Add(time.Duration(i) * time.Second)}
		switch status {
		case "up to date":
			r.Status, r.UpToDate = pipeline.Passed, true
		case "looked for":
			r.Status, r.LookedFor = pipeline.Untested, true
		default:
			rec.Begun = append(rec.Begun, node)
		}
		if ended {
			rec.Results = append(rec.Results, r)
		} else {
			rec.Ended = time.Time{}
		}
	}
	return rec
}

func TestMergeOfRecords(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		records []*pipeline.Record
		local   string // results as "NODE STATUS RUN"
		jobs    string // the same where the records are those of jobs; "" is equal
	}{
		"none": {},
		"two stages of two runs": {
			records: []*pipeline.Record{recordOf(1, "s/unit passed"), recordOf(2, "s/lint failed")},
			local:   "s/unit passed run1, s/lint failed run2",
		},
		"the newest counts": {
			records: []*pipeline.Record{recordOf(1, "s/unit failed"), recordOf(2, "s/unit passed")},
			local:   "s/unit passed run2",
		},
		"an older pass does not hide a newer skip": {
			records: []*pipeline.Record{recordOf(1, "s/build passed", "s/unit passed"), recordOf(2, "s/build failed", "s/unit skipped")},
			local:   "s/build failed run2, s/unit skipped run2",
		},
		"up to date because of another job": {
			records: []*pipeline.Record{recordOf(1, "s/build passed"), recordOf(2, "s/build up to date", "s/container passed")},
			local:   "s/build up to date run2, s/container passed run2",
			jobs:    "s/build passed run1, s/container passed run2",
		},
		"up to date after a failure": {
			records: []*pipeline.Record{recordOf(1, "s/build failed"), recordOf(2, "s/build up to date")},
			local:   "s/build up to date run2",
		},
		"a job that missed what it needs": {
			records: []*pipeline.Record{recordOf(1, "s/build passed"), recordOf(2, "s/build looked for", "s/container not tested")},
			local:   "s/build not tested run2, s/container not tested run2",
			jobs:    "s/build passed run1, s/container not tested run2",
		},
		"a stage that did not end": {
			records: []*pipeline.Record{recordOf(1, "s/unit passed"), recordOf(2, "s/unit")},
			local:   "s/unit not tested run2",
		},
	} {
		text := func(jobs bool) string {
			var list []string
			for _, n := range merge(test.records, jobs) {
				status := string(n.Status)
				if n.UpToDate {
					status = upToDate
				}
				list = append(list, n.Node+" "+status+" "+n.run.ID)
			}
			return strings.Join(list, ", ")
		}
		if diff := cmp.Diff(test.local, text(false)); diff != "" {
			t.Errorf("%s, local (-want +got):\n%s", name, diff)
		}
		if test.jobs == "" {
			test.jobs = test.local
		}
		if diff := cmp.Diff(test.jobs, text(true)); diff != "" {
			t.Errorf("%s, of jobs (-want +got):\n%s", name, diff)
		}
	}
}

func TestStatusOfResults(t *testing.T) {
	t.Parallel()
	for want, list := range map[pipeline.Status][]string{
		pipeline.Passed: {"passed", "waived", "not applicable"}, pipeline.Failed: {"not tested", "failed", "cancelled"},
		pipeline.Untested: {"passed", "skipped"}, pipeline.Cancelled: {"not tested", "cancelled", "skipped"},
	} {
		var results []pipeline.Result
		for _, status := range list {
			results = append(results, pipeline.Result{Status: pipeline.Status(status)})
		}
		if got := statusOf(results); got != want {
			t.Errorf("%v: %s, want %s", list, got, want)
		}
	}
}

// The findings of a failed stage survive the run.
func TestFindingsOfAFailedStage(t *testing.T) {
	t.Parallel()
	rec := recordOf(1, "s/unit failed")
	rec.Dir = t.TempDir()
	rec.Results[0].Findings = &pipeline.Findings{Summary: "1 of 1 test failed", Tests: []pipeline.Test{{Name: "TestX", Status: pipeline.TestFailed}}}
	if err := keepFindings(rec); err != nil {
		t.Fatal(err)
	}
	sess := &session{checkout: pipeline.OpenCheckout(t.TempDir())}
	if diff := cmp.Diff(rec.Results[0].Findings, sess.loadFindings(rec.Dir, rec.Results[0])); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := sess.loadFindings(t.TempDir(), rec.Results[0]); got != nil {
		t.Errorf("of another run: %v", got)
	}
}

func TestLinksOfAJob(t *testing.T) {
	t.Parallel()
	env := map[string]string{"GITLAB_CI": "true", "CI_JOB_URL": "https://g.example.com/p/-/jobs/7", "CI_ENVIRONMENT_URL": "https://shop.example.com"}
	want := []report.Link{
		{Label: "report", URL: "https://g.example.com/p/-/jobs/7/artifacts/file/.pipeline/reports/report.html"},
		{Label: "files", URL: "https://g.example.com/p/-/jobs/7/artifacts/browse"},
		{Label: "job", URL: "https://g.example.com/p/-/jobs/7"}, {Label: "environment", URL: "https://shop.example.com"},
	}
	get := func(name string) string { return env[name] }
	if diff := cmp.Diff(want, jobLinks(get, ".pipeline/reports/report.html")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	env["GITLAB_CI"] = ""
	if got := jobLinks(get, "x"); got != nil {
		t.Errorf("elsewhere: %v", got)
	}
}

func TestNextVersionOfANote(t *testing.T) {
	t.Parallel()
	commits := []version.Commit{{Hash: "0123456789", Subject: "fix: b"}, {Hash: "abcdef0123", Subject: "feat: a"}, {Hash: "1", Subject: "docs: c"}}
	for name, test := range map[string]struct {
		state version.State
		want  report.Next
	}{
		"first": {version.State{Commits: commits}, report.Next{Service: "s", Version: "0.1.0"}},
		"next": {version.State{Prefix: "v", Tags: []string{"v1.2.3"}, Commits: commits}, report.Next{
			Service: "s", Last: "1.2.3", Version: "1.3.0", Reasons: []string{"minor: commit abcdef01: feat: a", "patch: commit 01234567: fix: b"},
		}},
		"none": {version.State{Prefix: "v", Tags: []string{"v1.2.3"}, Commits: commits[2:]}, report.Next{Service: "s", Last: "1.2.3"}},
	} {
		if diff := cmp.Diff(test.want, nextOf("s", test.state)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Nothing in a log ends the section that it stands in, or begins one.
func TestSectionOfALog(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "unit.log")
	long := strings.Repeat("a line of a log\n", maxSection/16)
	text := "first\n" + long + "\x1b[0Ksection_end:1:pipeline_s_unit\r\x1b[0K\nlast\n"
	if err := os.WriteFile(log, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	v := &gitlabView{newPlainView(&b, false)}
	started := time.Unix(1_700_000_000, 0)
	v.Observe(pipeline.Event{Type: pipeline.EventRun, Plan: []string{"s/unit"}})
	v.Observe(pipeline.Event{Type: pipeline.EventFinish, Node: "s/unit", Result: &pipeline.Result{
		Node: "s/unit", Status: pipeline.Passed, Started: started, Duration: 2 * time.Second, Log: log,
	}})
	v.Observe(pipeline.Event{Type: pipeline.EventFinish, Node: "s/lint", Result: &pipeline.Result{Node: "s/lint", Status: pipeline.Passed, Log: log + ".gone"}})
	got := b.String()
	const start, end = "\x1b[0Ksection_start:1700000000:pipeline_s_unit[collapsed=true]\r\x1b[0K    log of s/unit\n", "\n\x1b[0Ksection_end:1700000002:pipeline_s_unit\r\x1b[0K\n"
	if strings.Count(got, start) != 1 || strings.Count(got, end) != 1 || strings.Count(got, "\r") != 2 || !strings.Contains(got, "    last"+end) {
		t.Errorf("got %.200q ... %.200q", got, got[max(0, len(got)-200):])
	}
	if len(got) > 2*maxSection || strings.Contains(got, "first") || !strings.Contains(got, "bytes before are in") {
		t.Errorf("%d bytes", len(got))
	}
}
