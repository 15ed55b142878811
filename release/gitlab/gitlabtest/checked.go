package gitlabtest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// Checked is a double behind the gate: what does not fit GitLab's OpenAPI
// document is reported, and answered all the same. gated tells whether there
// is a document: PIPELINE_GITLAB_SPECS names its folder.
func Checked(d *Double, report func(error)) (h http.Handler, gated bool, err error) {
	g, err := specs()
	if err != nil || g == nil {
		return d, false, err
	}
	return &checked{d, g, report}, true, nil
}

type checked struct {
	d      *Double
	gate   *gate
	report func(error)
}

func (s *checked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route, _, known := s.d.find(r.Method, trimAPI(r))
	if _, _, ofGit := gitPath(r); ofGit || !known || r.Header.Get(unchecked) != "" {
		s.d.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	on := r.Method + " " + route.pattern
	if err := s.gate.request(on, r, body); err != nil {
		s.report(fmt.Errorf("a request that GitLab's OpenAPI does not have: %w", err))
	}
	watched := &statusWriter{ResponseWriter: w}
	s.d.ServeHTTP(watched, r)
	if err := s.gate.status(on, r, watched.status); err != nil {
		s.report(fmt.Errorf("the double is wrong: %w", err))
	}
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
