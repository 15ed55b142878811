package server

import (
	"io"
	"net/http"

	"gitlab.com/selfcontained/shop/web/internal/problem"
)

// HealthPattern is the route of the probes. It does not look at neighbours: a
// service that is out of order because of another one helps nobody by being
// restarted.
const HealthPattern = "GET /healthz"

// newMux returns the routes together with the one for health.
func newMux(routes map[string]http.Handler) http.Handler {
	mux := http.NewServeMux()
	for pattern, handler := range routes {
		mux.Handle(pattern, handler)
	}
	mux.HandleFunc(HealthPattern, health)
	return withProblems(mux)
}

func health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"status":"serving"}`+"\n")
}

// withProblems answers what no route is for with a problem. The mux still
// decides which: it knows whether the path or the method is wrong.
func withProblems(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refusal, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		kind := problem.NotFound
		silent := &silentWriter{header: w.Header()}
		if refusal.ServeHTTP(silent, r); silent.status == http.StatusMethodNotAllowed {
			kind = problem.MethodNotAllowed
		}
		(&problem.Problem{Kind: kind}).Write(w)
	})
}

// silentWriter keeps status and header, the Allow header among them.
type silentWriter struct {
	header http.Header
	status int
}

func (w *silentWriter) Header() http.Header         { return w.header }
func (w *silentWriter) WriteHeader(status int)      { w.status = status }
func (w *silentWriter) Write(b []byte) (int, error) { return len(b), nil }
