package server_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/shop/web/internal/problem"
	"gitlab.com/selfcontained/shop/web/internal/server"
)

func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	t.Parallel()
	r := start(t, route("GET /panic", func(http.ResponseWriter, *http.Request) { panic("x") }), server.Config{})
	for path, status := range map[string]int{"/healthz": 200, "/nothing": 404, "/panic": 500} {
		response, body := r.do(t, http.MethodGet, path, nil)
		if response.StatusCode != status {
			t.Errorf("%s: status %d, want %d: %s", path, response.StatusCode, status, body)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Cache-Control":                "no-store",
		} {
			if got := response.Header.Get(name); got != want {
				t.Errorf("%s: %s %q, want %q", path, name, got, want)
			}
		}
		policy := response.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy %q lacks %q", path, policy, want)
			}
		}
	}
}

func TestUnknownAddressesAndMethods(t *testing.T) {
	t.Parallel()
	r := start(t, route("PUT /x/{y}", func(http.ResponseWriter, *http.Request) {}), server.Config{})
	for _, test := range []struct {
		method, path string
		status       int
		kind         problem.Kind
		allow        string
	}{
		{http.MethodGet, "/x", 404, problem.NotFound, ""},
		{http.MethodGet, "/x/y", 405, problem.MethodNotAllowed, "PUT"},
		{http.MethodDelete, "/healthz", 405, problem.MethodNotAllowed, "GET, HEAD"},
		{http.MethodPut, "/x/y", 200, "", ""},
	} {
		response, body := r.do(t, test.method, test.path, nil)
		if response.StatusCode != test.status || response.Header.Get("Allow") != test.allow || !strings.Contains(body, string(test.kind)) {
			t.Errorf("%s %s: %d, Allow %q, %s", test.method, test.path, response.StatusCode, response.Header.Get("Allow"), body)
		}
	}
}

func TestCrossSiteWritesAreRefused(t *testing.T) {
	t.Parallel()
	routes := route("PUT /x", func(http.ResponseWriter, *http.Request) {})
	routes["GET /x"] = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	r := start(t, routes, server.Config{})
	for _, test := range []struct {
		method string
		header http.Header
		want   int
	}{
		{http.MethodPut, http.Header{}, 200}, // no browser
		{http.MethodPut, http.Header{"Sec-Fetch-Site": {"same-origin"}}, 200},
		{http.MethodPut, http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
		{http.MethodPut, http.Header{"Sec-Fetch-Site": {"same-site"}}, 403},
		{http.MethodPut, http.Header{"Origin": {"https://web"}}, 200},
		{http.MethodPut, http.Header{"Origin": {"https://elsewhere"}}, 403},
		{http.MethodGet, http.Header{"Sec-Fetch-Site": {"cross-site"}}, 200},
	} {
		response, body := r.do(t, test.method, "/x", test.header)
		if response.StatusCode != test.want || test.want == 403 && response.Header.Get("Content-Type") != problem.ContentType {
			t.Errorf("%s with %v: %d, want %d: %s", test.method, test.header, response.StatusCode, test.want, body)
		}
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]http.Handler{
		"GET /value":   http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret") }),
		"GET /runtime": http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _ = []int{}[len(r.URL.Path)] }),
		"GET /late":    http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x"); panic("secret") }),
		"GET /abort":   http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
	}, server.Config{})
	for path, status := range map[string]int{"/value": 500, "/runtime": 500, "/late": 0, "/abort": 0, "/healthz": 200} {
		response, body, err := r.try(t, http.MethodGet, path, nil)
		switch {
		case status == 0 && err == nil:
			t.Errorf("%s: answer %d %q, want a broken connection", path, response.StatusCode, body)
		case status != 0 && (err != nil || response.StatusCode != status):
			t.Errorf("%s: %v, %v, want %d", path, response, err, status)
		}
	}
	log := r.end(t)
	for _, want := range []string{`"error":"string\n`, "index out of range", `"status":500`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	if strings.Contains(log, "secret") || strings.Count(log, `"msg":"panic"`) != 3 {
		t.Errorf("the log tells a secret, or not of three panics:\n%s", log)
	}
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	r := start(t, nil, server.Config{})
	for given, taken := range map[string]bool{"a-b_c.1": true, "": false, "a b": false, strings.Repeat("x", 65): false} {
		response, _ := r.do(t, http.MethodGet, "/healthz", http.Header{problem.RequestIDHeader: {given}})
		if got := response.Header.Get(problem.RequestIDHeader); got == "" || (got == given) != taken {
			t.Errorf("%q becomes %q", given, got)
		}
	}
}

// entry has what a line of the log must tell of a request.
type entry struct {
	Level, Method, Route string
	Status, Bytes        int
}

func TestLog(t *testing.T) {
	t.Parallel()
	var log safeBuffer
	handler := slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})
	r := start(t, route("GET /carts/{cart}", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		_, _ = io.WriteString(w, "four")
		_ = http.NewResponseController(w).Flush()
	}), server.Config{Log: slog.New(handler)})
	for _, line := range []string{"GET /carts/secret", "GET /secret", "GET /healthz", "SECRET /healthz"} {
		method, path, _ := strings.Cut(line, " ")
		r.do(t, method, path, http.Header{problem.RequestIDHeader: {"id"}})
	}
	r.end(t)
	if strings.Contains(strings.ToLower(log.String()), "secret") {
		t.Errorf("the log tells a secret:\n%s", log.String())
	}
	size := len(`{"status":"serving"}` + "\n")
	want := []entry{
		{"INFO", "GET", "GET /carts/{cart}", 200, 4},
		{"INFO", "GET", "", 404, bytesOf(t, problem.NotFound)},
		{"DEBUG", "GET", server.HealthPattern, 200, size},
		{"INFO", "OTHER", "", 405, bytesOf(t, problem.MethodNotAllowed)},
	}
	if diff := cmp.Diff(want, entries(t, log.String())); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func entries(t *testing.T, log string) (all []entry) {
	t.Helper()
	for line := range strings.Lines(log) {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// bytesOf is the length of a problem with the request id "id".
func bytesOf(t *testing.T, kind problem.Kind) int {
	t.Helper()
	w := &lengthWriter{header: http.Header{problem.RequestIDHeader: {"id"}}}
	(&problem.Problem{Kind: kind}).Write(w)
	return w.n
}

type lengthWriter struct {
	header http.Header
	n      int
}

func (w *lengthWriter) Header() http.Header         { return w.header }
func (w *lengthWriter) WriteHeader(int)             {}
func (w *lengthWriter) Write(b []byte) (int, error) { w.n += len(b); return len(b), nil }
