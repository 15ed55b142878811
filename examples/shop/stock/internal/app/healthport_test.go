package app_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc/test/bufconn"

	"gitlab.com/selfcontained/shop/stock/internal/app"
	"gitlab.com/selfcontained/shop/stock/internal/certtest"
)

// The health port speaks plain text, whatever the main port speaks, and is
// closed when the program has ended.
func TestHealthPort(t *testing.T) {
	t.Parallel()
	files := certtest.New(t)
	ctx, stop := context.WithCancel(t.Context())
	p, code := newProgram(), make(chan int, 1)
	go func() {
		code <- p.Run(ctx, []string{"--data", t.TempDir(), "-t", "-c", files.Cert, "-k", files.Key, "-p", "1234", "--health-port", "1235"})
	}()
	if main, health := <-p.listening, <-p.listening; main != ":1234" || health != healthAddress {
		t.Errorf("listens on %q and %q", main, health)
	}
	health := func(l *bufconn.Listener) int { return probe(l).Run(t.Context(), []string{"health"}) }
	if code := health(p.health); code != app.ExitOK {
		t.Errorf("health port: code %d", code)
	}
	if code := health(p.listener); code != app.ExitFailed {
		t.Errorf("main port in plain text: code %d", code)
	}
	stop()
	if code := <-code; code != app.ExitOK || !strings.Contains(p.stderr.String(), `"msg":"serving health"`) {
		t.Errorf("code %d, stderr %q", code, &p.stderr)
	}
	if code := health(p.health); code != app.ExitFailed {
		t.Errorf("health port after the end: code %d", code)
	}
}

func TestHealthPortIsTaken(t *testing.T) {
	t.Parallel()
	p := newProgram()
	listen := p.Listen
	p.Listen = func(ctx context.Context, network, address string) (net.Listener, error) {
		if address == healthAddress {
			return nil, errors.New("in use")
		}
		return listen(ctx, network, address)
	}
	if code := p.Run(t.Context(), []string{"--data", t.TempDir(), "--health-port", "1235"}); code != app.ExitFailed || !strings.Contains(p.stderr.String(), "listen: in use") {
		t.Errorf("code %d, stderr %q", code, &p.stderr)
	}
	if _, err := p.listener.Dial(); err == nil {
		t.Error("the main port is open")
	}
}
