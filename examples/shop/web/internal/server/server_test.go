package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/test/bufconn"

	"gitlab.com/selfcontained/shop/web/internal/certtest"
	"gitlab.com/selfcontained/shop/web/internal/openapitest"
	"gitlab.com/selfcontained/shop/web/internal/server"
	"gitlab.com/selfcontained/shop/web/internal/tlsfiles"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	r := start(t, nil, server.Config{})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://web/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := openapitest.Load(t).Transport(t, r.transport(t)).RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("%v, %v", response, err)
	}
}

// awaitClosed returns when no more connections are taken.
func (r *running) awaitClosed() {
	for {
		conn, err := net.Dial("tcp", r.listener.Addr().String())
		if err != nil {
			return
		}
		conn.Close()
	}
}

// blocked returns a server in the middle of a request that ends when release is
// called; the request's error arrives on the channel.
func blocked(t *testing.T, grace time.Duration) (*running, context.CancelFunc, chan error) {
	t.Helper()
	started, begin := context.WithCancel(context.Background())
	ctx, release := context.WithCancel(context.Background())
	t.Cleanup(release)
	r := start(t, route("GET /slow", func(http.ResponseWriter, *http.Request) { begin(); <-ctx.Done() }), server.Config{Grace: grace})
	result := make(chan error, 1)
	go func() {
		_, _, err := r.try(t, http.MethodGet, "/slow", nil)
		result <- err
	}()
	<-started.Done()
	return r, release, result
}

func TestRunningRequestsFinishBeforeTheEnd(t *testing.T) {
	t.Parallel()
	r, release, result := blocked(t, time.Minute)
	r.stop()
	r.awaitClosed()
	release()
	if err := <-result; err != nil {
		t.Error(err)
	}
}

func TestTheEndIsBounded(t *testing.T) {
	t.Parallel()
	r, release, result := blocked(t, time.Millisecond)
	defer release()
	r.stop()
	if err := <-result; err == nil {
		t.Error("the request was answered")
	}
}

func TestServeReportsAFailingListener(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]*tls.Config{"plain": nil, "TLS": {}} {
		l := bufconn.Listen(1)
		l.Close()
		if err := server.New(nil, server.Config{Log: slog.New(slog.DiscardHandler), TLS: config}).Serve(t.Context(), l); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTheEndMayComeFirst(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := server.New(nil, server.Config{Log: slog.New(slog.DiscardHandler)}).Serve(ctx, bufconn.Listen(1)); err != nil {
		t.Error(err)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	files := certtest.New(t)
	config, err := tlsfiles.Server(files.Cert, files.Key, "")
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, nil, server.Config{TLS: config})
	trusting, err := tlsfiles.Client("", "", files.CA)
	if err != nil {
		t.Fatal(err)
	}
	old := trusting.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	for name, test := range map[string]struct {
		url    string
		config *tls.Config
		proto  string // empty: refused
	}{
		"HTTPS":      {"https://web/healthz", trusting, "HTTP/2.0"},
		"TLS 1.2":    {"https://web/healthz", old, ""},
		"plain text": {"http://web/healthz", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			transport := r.transport(t)
			transport.TLSClientConfig, transport.ForceAttemptHTTP2 = test.config, true
			response, err := (&http.Client{Transport: transport}).Get(test.url)
			if err == nil {
				response.Body.Close()
			}
			switch {
			case test.proto == "" && err == nil && response.StatusCode != http.StatusBadRequest:
				t.Errorf("%v, want a refusal", response)
			case test.proto != "" && (err != nil || response.Proto != test.proto):
				t.Errorf("%v, %v, want %s", response, err, test.proto)
			}
		})
	}
}

func TestLargeHeadersAreRefused(t *testing.T) {
	t.Parallel()
	r := start(t, nil, server.Config{})
	response, _ := r.do(t, http.MethodGet, "/healthz", http.Header{"X-Large": {strings.Repeat("x", 1<<15)}})
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", response.StatusCode)
	}
}

// A client that sends its header slowly must not hold a connection for ever.
// In the bubble the time is not real: 5 seconds are over at once.
func TestSlowHeadersAreCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn, l := pipe()
		defer conn.Close()
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- server.New(nil, server.Config{Log: slog.New(slog.DiscardHandler)}).Serve(ctx, l) }()
		defer func() { stop(); <-done }()
		if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\n"); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
			t.Error("there is an answer")
		}
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("cut off after %v", took)
		}
	})
}

// pipe returns a connection and the listener that takes it, and no other.
func pipe() (net.Conn, net.Listener) {
	near, far := net.Pipe()
	l := &oneListener{conns: make(chan net.Conn, 1)}
	l.conns <- far
	return near, l
}

// oneListener is closed by closing the channel.
type oneListener struct {
	conns chan net.Conn
	once  sync.Once
}

func (l *oneListener) Accept() (net.Conn, error) {
	if conn, ok := <-l.conns; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (l *oneListener) Close() error {
	l.once.Do(func() { close(l.conns) })
	return nil
}

func (l *oneListener) Addr() net.Addr { return &net.UnixAddr{} }
