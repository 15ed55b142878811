package gitlabtest

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
)

// Server is a Double that a test talks to. All requests go through the gate.
type Server struct {
	*Double
	t       testing.TB
	checked http.Handler
}

// New starts a double for a test, in a folder of the test.
//
// Each request is checked against GitLab's OpenAPI document, and each status
// of an answer too, where PIPELINE_GITLAB_SPECS names the folder with the
// document: what does not fit fails the test. Where it is not set nothing is
// checked, and with CI=true the test fails.
func New(t testing.TB) *Server {
	t.Helper()
	return At(t, t.TempDir())
}

// At is New with the state in a folder, which may be that of a double that has
// ended.
func At(t testing.TB, dir string) *Server {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is not installed")
		}
		t.Skip("git is not installed")
	}
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Double: d, t: t}
	var gated bool
	s.checked, gated, err = Checked(d, func(err error) { t.Errorf("%v", err) })
	if err != nil {
		t.Fatal(err)
	}
	if !gated && os.Getenv("CI") == "true" {
		t.Fatal("PIPELINE_GITLAB_SPECS names no folder with GitLab's OpenAPI document")
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	d.URL = server.URL
	return s
}

// ServeHTTP answers a request that has passed the gate.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.checked.ServeHTTP(w, r) }

// MustProject is Project with a first commit, or the end of the test.
func (s *Server) MustProject(path string) *Project {
	s.t.Helper()
	p, err := s.Project(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if p.resolve("refs/heads/main") == "" {
		s.MustCommit(p, "main", "feat: first")
	}
	return p
}

// MustCommit adds a commit of somebody that changes one file.
func (s *Server) MustCommit(p *Project, branch, message string) string {
	s.t.Helper()
	id, err := p.Commit(branch, "somebody", message, map[string]string{"file": message + "\n"})
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}
