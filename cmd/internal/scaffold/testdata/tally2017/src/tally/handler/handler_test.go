package handler

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tally/counter"
)

func TestCount(t *testing.T) {
	h := New(counter.New(1), "hello")
	for _, step := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/", 200, "hello"},
		{"GET", "/healthz", 200, "ok"},
		{"POST", "/count/a", 200, `"sum":1`},
		{"GET", "/count/a", 200, `"sum":1`},
		{"POST", "/count/b", 507, "too many"},
	} {
		w := httptest.NewRecorder()
		r, err := http.NewRequest(step.method, step.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		h.ServeHTTP(w, r)
		if w.Code != step.status || !strings.Contains(w.Body.String(), step.body) {
			t.Errorf("%s %s: %d %s", step.method, step.path, w.Code, w.Body)
		}
	}
}
