package gitlabtest_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

// recorder is a test that notes what goes wrong in it.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func needsSpecs(t *testing.T) {
	t.Helper()
	if os.Getenv("PIPELINE_GITLAB_SPECS") == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("PIPELINE_GITLAB_SPECS is not set")
		}
		t.Skip("PIPELINE_GITLAB_SPECS is not set")
	}
}

// The gate is worth nothing if it lets these through.
func TestGateRefuses(t *testing.T) {
	t.Parallel()
	needsSpecs(t)
	for name, test := range map[string]struct{ method, path, body, want string }{
		"misspelt field":       {"POST", "/projects/g%2Fp/releases", `{"tag_name":"v1","ref":"main","descripton":"x"}`, "descripton"},
		"missing field":        {"POST", "/projects/g%2Fp/releases", `{"ref":"main"}`, "tag_name"},
		"wrong type":           {"POST", "/projects/g%2Fp/releases", `{"tag_name":7,"ref":"main"}`, "string"},
		"unknown query":        {"GET", "/projects/g%2Fp/repository/tags?serch=x", "", "serch"},
		"wrong query":          {"GET", "/projects/g%2Fp/repository/tags?order_by=size", "", "order_by"},
		"wrong enum":           {"POST", "/projects/g%2Fp/releases/v1/assets/links", `{"name":"a","url":"https://x","link_type":"chart"}`, "link_type"},
		"body without meaning": {"DELETE", "/projects/g%2Fp/releases/v1", `{"x":1}`, "takes no body"},
		"query of a package":   {"GET", "/projects/g%2Fp/packages/generic/a/1/f?select=package_file", "", "select"},
		"id that is no number": {"GET", "/projects/g%2Fp/merge_requests/one", "", "merge_request_iid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{TB: t}
			s := gitlabtest.New(r)
			p := s.MustProject("g/p")
			p.Member("maria", gitlabtest.Maintainer)
			request, err := http.NewRequestWithContext(t.Context(), test.method, s.URL+"/api/v4"+test.path, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Private-Token", s.AccessToken("maria", "api"))
			if test.body != "" {
				request.Header.Set("Content-Type", "application/json")
			}
			resp, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if len(r.errors) != 1 || !strings.Contains(r.errors[0], test.want) {
				t.Errorf("the gate says %q", r.errors)
			}
		})
	}
}

// An answer with a status that nobody documents fails too.
func TestGateLooksAtStatuses(t *testing.T) {
	t.Parallel()
	needsSpecs(t)
	r := &recorder{TB: t}
	s := gitlabtest.New(r)
	s.MustProject("g/p")
	s.Fault(gitlabtest.Fault{On: "GET /projects/:id/releases", Status: http.StatusTeapot})
	resp, err := http.Get(s.URL + "/api/v4/projects/g%2Fp/releases")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if len(r.errors) != 1 || !strings.Contains(r.errors[0], "418") {
		t.Errorf("the gate says %q", r.errors)
	}
}

// A double that starts again in the same folder has everything.
func TestStateOutlivesTheDouble(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := gitlabtest.At(t, dir)
	p := s.MustProject("g/p")
	p.Member("maria", gitlabtest.Maintainer)
	w := &world{Server: s, t: t, p: p, token: s.AccessToken("maria", "api"), header: "Private-Token"}
	w.release()
	if status, _ := w.send("PUT", "/projects/g%2Fp/packages/generic/app/1/f", "bytes"); status != 201 {
		t.Fatal(status)
	}
	before, err := s.Dump()
	if err != nil {
		t.Fatal(err)
	}
	again := gitlabtest.At(t, dir)
	after, err := again.Dump()
	if diff := cmp.Diff(string(before), string(after)); err != nil || diff != "" {
		t.Fatalf("%v\n%s", err, diff)
	}
	w.Server = again
	if status, answer := w.send("POST", "/projects/g%2Fp/releases", m{"tag_name": "v1"}); status != 409 {
		t.Errorf("%d %v", status, answer)
	}
	if again.MustProject("g/p").ID != p.ID {
		t.Error("a second project was made")
	}
}

// Two histories with the same outcome have the same dump, whatever ids and
// times they went through.
func TestDumpHidesIDsAndTimes(t *testing.T) {
	t.Parallel()
	outcome := func(detour bool) string {
		w := newWorld(t)
		if detour {
			w.p.Upload("app", "1", "f", "x")
			_, answer := w.send("PUT", "/projects/g%2Fp/packages/generic/app/1/f?select=package_file", "x")
			w.send("DELETE", fmt.Sprintf("/projects/g%%2Fp/packages/%v/package_files/%v", answer["package_id"], answer["id"]), nil)
		} else {
			w.p.Upload("app", "1", "f", "x")
		}
		w.send("POST", "/projects/g%2Fp/releases", m{"tag_name": "v1", "ref": "main", "tag_message": "one"})
		dump, err := w.Dump()
		if err != nil {
			t.Fatal(err)
		}
		return string(dump)
	}
	if diff := cmp.Diff(outcome(false), outcome(true)); diff != "" {
		t.Error(diff)
	}
}

func TestGitOverHTTP(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		set    func(*world)
		user   string
		token  func(*world) string
		ref    string
		denied string // what git says; "" is allowed
	}{
		"access token":          {nil, "maria", func(w *world) string { return w.AccessToken("maria", "write_repository") }, "refs/tags/v1", ""},
		"scope is for reading":  {nil, "maria", func(w *world) string { return w.AccessToken("maria", "read_repository") }, "refs/tags/v1", "403"},
		"unknown token":         {nil, "maria", func(*world) string { return "none" }, "refs/tags/v1", "Authentication failed"},
		"job token":             {nil, "gitlab-ci-token", func(w *world) string { return w.p.JobToken("maria") }, "refs/tags/v1", "403"},
		"job token, turned on":  {pushOn, "gitlab-ci-token", func(w *world) string { return w.p.JobToken("maria") }, "refs/tags/v1", ""},
		"job of elsewhere":      {pushOn, "gitlab-ci-token", func(w *world) string { return w.MustProject("o/p").JobToken("maria") }, "refs/tags/v1", "403"},
		"no member":             {nil, "x", func(w *world) string { return w.AccessToken("x", "api") }, "refs/tags/v1", "not found"},
		"Reporter":              {nil, "r", reporter, "refs/tags/v1", "403"},
		"protected tag":         {protect, "maria", func(w *world) string { return w.AccessToken("maria", "api") }, "refs/tags/v1", "protected"},
		"beside the protection": {protect, "maria", func(w *world) string { return w.AccessToken("maria", "api") }, "refs/tags/x1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if test.set != nil {
				test.set(w)
			}
			url := strings.Replace(w.p.CloneURL(), "://", "://"+test.user+":"+test.token(w)+"@", 1)
			out, err := git(t, w.p.Dir(), "push", url, "main:"+test.ref)
			if (err != nil) != (test.denied != "") || !strings.Contains(out, test.denied) {
				t.Errorf("%v\n%s", err, out)
			}
			refs, _ := w.p.Refs()
			if has := strings.Contains(refs, test.ref); has != (test.denied == "") {
				t.Errorf("the tag is there: %v", has)
			}
		})
	}
}

func TestClone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := strings.Replace(w.p.CloneURL(), "://", "://gitlab-ci-token:"+w.p.JobToken("maria")+"@", 1)
	dir := t.TempDir()
	if out, err := git(t, dir, "clone", "-q", url, "copy"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "copy", "file")); err != nil {
		t.Error(err)
	}
	if out, err := git(t, dir, "clone", "-q", w.p.CloneURL(), "other"); err == nil {
		t.Errorf("a private project was cloned by nobody\n%s", out)
	}
}

func pushOn(w *world)  { w.p.Set(func(s *gitlabtest.Settings) { s.JobTokenPush = true }) }
func protect(w *world) { w.p.Protect(gitlabtest.ProtectedTag{Pattern: "v*"}) }

func reporter(w *world) string {
	w.p.Member("r", gitlabtest.Reporter)
	return w.AccessToken("r", "api")
}

func git(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}
