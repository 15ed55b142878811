package gitlabtest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

// What job tokens may do, and what hides the project from them (404).
// Source: doc/ci/jobs/fine_grained_permissions.md, doc/ci/jobs/ci_job_token.md.
func TestRightsOfJobTokens(t *testing.T) {
	t.Parallel()
	const p = "/projects/g%2Fp"
	for _, test := range []struct {
		method, path string
		body         any
		may          bool
	}{
		{"GET", "/job", nil, true},
		{"GET", p + "/releases", nil, true},
		{"POST", p + "/releases", m{"tag_name": "v2", "ref": "main"}, true},
		{"PUT", p + "/releases/v1", m{"name": "x"}, true},
		{"DELETE", p + "/releases/v1", nil, true},
		{"POST", p + "/releases/v1/assets/links", m{"name": "b", "url": "https://x/b"}, true},
		{"GET", p + "/repository/tags", nil, true},
		{"GET", p + "/repository/tags/v1", nil, true},
		{"POST", p + "/repository/tags", m{"tag_name": "v2", "ref": "main"}, false},
		{"DELETE", p + "/repository/tags/v1", nil, false},
		{"GET", p, nil, false},
		{"GET", p + "/protected_tags", nil, false},
		{"GET", p + "/packages", nil, true},
		{"PUT", p + "/packages/generic/app/1/f", "x", true},
		{"GET", p + "/merge_requests", nil, true},
		{"GET", p + "/merge_requests/1", nil, true},
		{"GET", p + "/merge_requests/1/notes", nil, true},
		{"POST", p + "/merge_requests/1/notes", m{"body": "x"}, false},
		{"GET", p + "/merge_requests/1/approvals", nil, false},
		{"POST", p + "/merge_requests/1/approve", nil, false},
		{"PUT", p + "/merge_requests/1/merge", nil, false},
		{"POST", p + "/merge_requests", m{"title": "x", "source_branch": "topic", "target_branch": "main"}, false},
	} {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.release()
			w.request()
			w.job(w.p.JobToken("maria"))
			status, answer := w.send(test.method, test.path, test.body)
			if test.may != (status < 300) || (!test.may && status != http.StatusNotFound) {
				t.Errorf("%d %v", status, answer)
			}
		})
	}
}

// GitLab attaches a release to a tag that exists, whatever ref says.
func TestReleaseIgnoresRefOfAnExistingTag(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.p.CreateTag("v1", "main^", ""); err != nil {
		t.Fatal(err)
	}
	status, answer := w.send("POST", "/projects/g%2Fp/releases", m{"tag_name": "v1", "ref": w.head})
	if commit := answer["commit"].(m)["id"]; status != 201 || commit == w.head {
		t.Errorf("%d, on %v", status, commit)
	}
}

// 405 while GitLab is checking, for as many looks as it takes, then 200 once
// the head is the one that was tested.
func TestMerge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	iid := w.request()
	w.p.Checking(iid, 2)
	const at = "/projects/g%2Fp/merge_requests/1"
	for _, want := range []string{"checking", "checking", "mergeable"} {
		if want == "checking" {
			if status, _ := w.send("PUT", at+"/merge", nil); status != 405 {
				t.Errorf("while checking: %d", status)
			}
		}
		if _, answer := w.send("GET", at, nil); answer["detailed_merge_status"] != want {
			t.Errorf("%v, want %s", answer["detailed_merge_status"], want)
		}
	}
	_, answer := w.send("GET", at, nil)
	status, answer := w.send("PUT", at+"/merge", m{"sha": answer["sha"]})
	if status != 200 || answer["state"] != "merged" {
		t.Fatalf("%d %v", status, answer)
	}
	refs, _ := w.p.Refs()
	if !strings.Contains(refs, fmt.Sprintf("%s refs/heads/main", answer["merge_commit_sha"])) {
		t.Errorf("main is not the merge commit:\n%s", refs)
	}
}

func TestMergeIsRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*world, int64){
		"draft": func(w *world, iid int64) { w.p.Draft(iid) },
		"not approved": func(w *world, _ int64) {
			w.p.Set(func(s *gitlabtest.Settings) { s.Premium, s.ApprovalsRequired = true, 1 })
		},
		"merged": func(w *world, iid int64) { _, _ = w.p.Merge(iid, "maria") },
	} {
		w := newWorld(t)
		spoil(w, w.request())
		if status, _ := w.send("PUT", "/projects/g%2Fp/merge_requests/1/merge", nil); status != 405 {
			t.Errorf("%s: %d", name, status)
		}
	}
}

// The newest file of a name is served, with its checksum.
func TestDuplicatesOfAPackageFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, content := range []string{"one", "two"} {
		if status, _ := w.send("PUT", "/projects/g%2Fp/packages/generic/app/1/f", content); status != 201 {
			t.Fatal(status)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", w.URL+"/api/v4/projects/g%2Fp/packages/generic/app/1/f", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("gitlab-ci-token", w.p.JobToken("maria"))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if string(body) != "two" || !strings.HasPrefix(resp.Header.Get("X-Checksum-Sha256"), "3fc4ccfe") {
		t.Errorf("%s %v", body, resp.Header)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 5 {
		if err := w.p.CreateTag(fmt.Sprintf("v1.%d.0", i), "main", ""); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]string{
		"per_page=2&page=2&sort=asc": "v1.2.0 v1.3.0", "per_page=2&page=3&sort=asc": "v1.4.0", "page=9": "",
		"search=^v1.4": "v1.4.0", "search=3.0$": "v1.3.0", "search=^v1.2.0$": "v1.2.0", "search=^1": "", "search=V1.1": "v1.1.0",
	} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", w.URL+"/api/v4/projects/g%2Fp/repository/tags?"+strings.ReplaceAll(query, "^", url.QueryEscape("^")), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Private-Token", w.token)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var tags []struct{ Name string }
		err = json.NewDecoder(resp.Body).Decode(&tags)
		resp.Body.Close()
		var got []string
		for _, tag := range tags {
			got = append(got, tag.Name)
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %v %v, want %s", query, got, err, want)
		}
	}
}

// What is public can be read by nobody in particular, and no more.
func TestPublicProject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.release()
	w.p.Set(func(s *gitlabtest.Settings) { s.Public = true })
	w.token = ""
	if status, _ := w.send("GET", "/projects/g%2Fp/releases/v1", nil); status != 200 {
		t.Errorf("read: %d", status)
	}
	if status, _ := w.send("DELETE", "/projects/g%2Fp/releases/v1", nil); status != 401 {
		t.Errorf("write: %d", status)
	}
}

func TestAllowlist(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.MustProject("other/p")
	w.p.Allow(other)
	w.job(other.JobToken("maria"))
	if status, answer := w.send("GET", "/projects/g%2Fp/releases", nil); status != 200 {
		t.Errorf("%d %v", status, answer)
	}
}

func TestLinksAreEditedAndDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := w.link()
	if status, answer := w.send("PUT", at, m{"url": "https://x/c", "link_type": "image"}); status != 200 || answer["link_type"] != "image" || answer["name"] != "a" {
		t.Errorf("%d %v", status, answer)
	}
	if status, answer := w.send("GET", at, nil); status != 200 || answer["url"] != "https://x/c" {
		t.Errorf("%d %v", status, answer)
	}
	if status, _ := w.send("DELETE", at, nil); status != 200 {
		t.Errorf("%d", status)
	}
	if status, _ := w.send("GET", at, nil); status != 404 {
		t.Errorf("%d", status)
	}
}

func TestUnapprove(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.request()
	for _, step := range []struct {
		path string
		left int
	}{{"/approve", 1}, {"/unapprove", 0}} {
		status, answer := w.send("POST", "/projects/g%2Fp/merge_requests/1"+step.path, nil)
		if status != 201 || len(answer["approved_by"].([]any)) != step.left {
			t.Errorf("%s: %d %v", step.path, status, answer)
		}
	}
}
