// Package server is the HTTP server around the service's routes.
//
// What every route needs is done once, by handlers around them: request ids and
// the log, security headers, panics, refusal of cross-site writes, problems
// instead of net/http's plain texts (middleware.go, mux.go). Limits in time and
// size are settings of net/http's server. A service made from this one keeps the
// package and brings its own routes.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Limits that keep one client from using up the server. An answer may take
// longer than the API waits for its neighbour.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = 15 * time.Second
	idleTimeout       = time.Minute
	maxHeader         = 16 << 10
	maxStreams        = 100
)

// Config is what a server is made of besides its routes.
type Config struct {
	// Log receives one record for each request.
	Log *slog.Logger
	// TLS, unless nil, is the only way in; nil means plain text.
	TLS *tls.Config
	// Grace is how long running requests may take after the end was asked for;
	// 0 means 5 s.
	Grace time.Duration
}

// Server is the HTTP server. It serves once.
type Server struct {
	http  *http.Server
	grace time.Duration
}

// New returns a server that is complete but does not listen. The keys of routes
// are patterns of http.ServeMux; HealthPattern is added to them.
func New(routes map[string]http.Handler, c Config) *Server {
	s := &Server{grace: c.Grace}
	if s.grace == 0 {
		s.grace = 5 * time.Second
	}
	s.http = &http.Server{
		Handler:           around(newMux(routes), c.Log),
		TLSConfig:         c.TLS,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ErrorLog:          slog.NewLogLogger(c.Log.Handler(), slog.LevelWarn),
	}
	return s
}

// Handler answers all requests; tests use it without Serve.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Serve answers requests on l until ctx ends, then lets running requests finish
// for the time of grace and returns nil. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- s.serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return errors.Join(s.stop(), ignoreClosed(<-failed))
	}
}

func (s *Server) serve(l net.Listener) error {
	if s.http.TLSConfig != nil {
		return s.http.ServeTLS(l, "", "")
	}
	return s.http.Serve(l)
}

// stop closes the listener first: from then on probes fail, and no new requests
// come.
func (s *Server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.grace)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return s.http.Close()
	}
	return err
}

// ignoreClosed: this is how net/http says that it was stopped.
func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
