package server

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"

	"gitlab.com/selfcontained/shop/web/internal/problem"
)

// around is read from left to right: the first sees a request first and its
// answer last.
func around(routes http.Handler, log *slog.Logger) http.Handler {
	return logRequests(log, secureHeaders(recoverPanics(log, refuseCrossSite(routes))))
}

// contentPolicy lets the page load and call nothing but this service, be framed
// by nobody, and turn no text into markup or code.
const contentPolicy = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// secureHeaders sets headers that routes may overwrite: an answer is stored
// nowhere unless its route says so.
func secureHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// refuseCrossSite refuses writes that a browser sends on behalf of another site.
func refuseCrossSite(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		(&problem.Problem{Kind: problem.CrossSite}).Write(w)
	}))
	return protection.Handler(next)
}

// recoverPanics lets one faulty request fail alone.
func recoverPanics(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		watched := &watchedWriter{ResponseWriter: w}
		defer func() {
			if p := recover(); p != nil {
				afterPanic(log, watched, p)
			}
		}()
		next.ServeHTTP(watched, r)
	})
}

// afterPanic answers with a problem. What has begun to be answered cannot be
// taken back: then the connection is cut, as with http.ErrAbortHandler, by which
// a handler asks for that.
func afterPanic(log *slog.Logger, w *watchedWriter, p any) {
	if p == http.ErrAbortHandler {
		panic(p)
	}
	log.Error("panic", "request_id", w.Header().Get(problem.RequestIDHeader), "error", describePanic(p))
	if w.status != 0 {
		panic(http.ErrAbortHandler)
	}
	(&problem.Problem{Kind: problem.Internal}).Write(w)
}

// describePanic names the panic and where it happened. The value of a panic that
// the runtime did not raise may hold a payload: only its type is told.
func describePanic(p any) string {
	what := fmt.Sprintf("%T", p)
	if err, ok := p.(runtime.Error); ok {
		what = err.Error()
	}
	return what + "\n" + string(debug.Stack())
}
