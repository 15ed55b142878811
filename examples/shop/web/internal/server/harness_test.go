package server_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"

	"gitlab.com/selfcontained/shop/web/internal/server"
)

// running is a server in this process, on any free port of the loopback
// interface.
type running struct {
	listener net.Listener
	stop     context.CancelFunc
	done     chan error
	log      *safeBuffer
}

// start serves routes until the test ends or stop is called. The log is kept,
// unless the configuration brings one.
func start(t testing.TB, routes map[string]http.Handler, c server.Config) *running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{l, cancel, make(chan error, 1), &safeBuffer{}}
	if c.Log == nil {
		c.Log = slog.New(slog.NewJSONHandler(r.log, nil))
	}
	s := server.New(routes, c)
	go func() {
		defer close(r.done)
		r.done <- s.Serve(ctx, r.listener)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-r.done; err != nil {
			t.Error("serve:", err)
		}
	})
	return r
}

// end stops the server and returns its log.
func (r *running) end(t testing.TB) string {
	t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		t.Fatal(err)
	}
	return r.log.String()
}

// transport opens connections of its own.
func (r *running) transport(t testing.TB) *http.Transport {
	t.Helper()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, r.listener.Addr().String())
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// do sends a request without body.
func (r *running) do(t testing.TB, method, path string, header http.Header) (*http.Response, string) {
	t.Helper()
	response, body, err := r.try(t, method, path, header)
	if err != nil {
		t.Fatal(err)
	}
	return response, body
}

// try is do for what may fail.
func (r *running) try(t testing.TB, method, path string, header http.Header) (*http.Response, string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, "http://web"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		request.Header = header
	}
	response, err := r.transport(t).RoundTrip(request)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response, string(body), err
}

// safeBuffer may be read while it is written.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// route is a map with one route.
func route(pattern string, handle http.HandlerFunc) map[string]http.Handler {
	return map[string]http.Handler{pattern: handle}
}
