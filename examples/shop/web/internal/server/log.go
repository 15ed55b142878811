package server

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"regexp"
	"time"

	"gitlab.com/selfcontained/shop/web/internal/problem"
)

// logRequests logs one line for each request, never a payload and never a path:
// whoever knows the id of a cart can empty it. The route stands for the path.
func logRequests(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, id := time.Now(), requestID(r)
		w.Header().Set(problem.RequestIDHeader, id)
		watched := &watchedWriter{ResponseWriter: w}
		defer func() {
			log.LogAttrs(r.Context(), levelOf(r.Pattern, watched.status), "request",
				slog.String("request_id", id),
				slog.String("method", knownMethod(r.Method)),
				slog.String("route", r.Pattern), // set by the mux; empty: there is none
				slog.Int("status", watched.status),
				slog.Int64("bytes", watched.bytes),
				slog.Float64("duration_ms", float64(time.Since(start))/float64(time.Millisecond)),
				slog.String("peer", r.RemoteAddr),
			)
		}()
		next.ServeHTTP(watched, r)
	})
}

// levelOf keeps probes, which come every second, out of ordinary logs.
func levelOf(route string, status int) slog.Level {
	switch {
	case status >= http.StatusInternalServerError:
		return slog.LevelWarn
	case route == HealthPattern:
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// knownMethod keeps text that a client made up out of the log.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "OTHER"
}

// goodID is what a request id from outside may look like.
var goodID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// requestID takes over the id that a gateway has given, or makes one.
func requestID(r *http.Request) string {
	if id := r.Header.Get(problem.RequestIDHeader); goodID.MatchString(id) {
		return id
	}
	return rand.Text()
}

// watchedWriter remembers what was sent. Status 0 means: nothing yet.
type watchedWriter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader passes informational statuses on; they are no answer.
func (w *watchedWriter) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watchedWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach net/http's own writer.
func (w *watchedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
