package app_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gitlab.com/selfcontained/shop/web/internal/app"
	"gitlab.com/selfcontained/shop/web/internal/certtest"
	"gitlab.com/selfcontained/shop/web/internal/tlsfiles"
)

func TestOutput(t *testing.T) {
	t.Parallel()
	for flag, want := range map[string]string{
		"--version": "web 1.2.3\n",
		"-v":        "web 1.2.3\n",
		"--help":    "--privkeyfile",
		"-h":        "Exit codes",
	} {
		p := newProgram(t)
		code := p.Run(t.Context(), []string{flag})
		if code != app.ExitOK || !strings.Contains(p.stdout.String(), want) || p.stderr.Len() > 0 {
			t.Errorf("%s: code %d, stdout %q, stderr %q", flag, code, &p.stdout, &p.stderr)
		}
		if strings.HasPrefix(want, "web") && p.stdout.String() != want {
			t.Errorf("%s: stdout %q, want %q", flag, &p.stdout, want)
		}
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	files, dir := certtest.New(t), t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "web.log"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"--nonsense", app.ExitUsage, "unknown flag"},
		{"--port 70000", app.ExitUsage, "--port"},
		{"--loglevel loud", app.ExitUsage, "--loglevel"},
		{"serve", app.ExitUsage, "unexpected arguments"},
		{"--cart nowhere", app.ExitUsage, "host:port"},
		{"--cart :1", app.ExitUsage, "host:port"},
		{"--cart a:", app.ExitUsage, "host:port"},
		{"-t", app.ExitUsage, "needs --certfile"},
		{"-k " + files.Key, app.ExitUsage, "need --usetls"},
		{"-t -c " + file + " -k " + file, app.ExitFailed, "load certificate"},
		{"--cart-cafile " + file, app.ExitFailed, "cart service: read CA certificates"},
		{"-d " + file, app.ExitFailed, "create log folder"},
		{"-d " + dir, app.ExitFailed, "open log"},
	} {
		p := newProgram(t)
		code := p.Run(t.Context(), strings.Fields(test.args))
		if code != test.code || !strings.Contains(p.stderr.String(), test.want) {
			t.Errorf("%s: code %d, want %d; stderr %q, want %q", test.args, code, test.code, &p.stderr, test.want)
		}
		if p.listened() {
			t.Errorf("%s: listens", test.args)
		}
	}
}

func TestDryRunSetsUpEverythingButNoListener(t *testing.T) {
	t.Parallel()
	files, logs := certtest.New(t), filepath.Join(t.TempDir(), "logs")
	p := newProgram(t)
	code := p.Run(t.Context(), []string{"-n", "-t", "-c", files.Cert, "-k", files.Key, "-a", files.CA, "--cart-cafile", files.CA, "-d", logs})
	if code != app.ExitOK || p.listened() {
		t.Fatalf("code %d, listened %v, stderr %q", code, p.listened(), &p.stderr)
	}
	path := filepath.Join(logs, "web.log")
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Errorf("%s: %v, %v", path, info, err)
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	files := certtest.New(t)
	config, err := tlsfiles.Client("", "", files.CA)
	if err != nil {
		t.Fatal(err)
	}
	for scheme, secure := range map[string][]string{
		"http":  nil,
		"https": {"-t", "-c", files.Cert, "-k", files.Key},
	} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			p := newProgram(t).withShop(t)
			stop, code := p.serve(t, slices.Concat(secure, []string{"-p", "1234"})...)
			if address := <-p.listening; address != ":1234" {
				t.Errorf("listens on %q", address)
			}
			transport := p.transport(t)
			transport.TLSClientConfig = config
			for path, want := range map[string]string{
				"/healthz": "serving", "/": "<title>", "/static/app.js": "import", "/api/carts/c": `"pieces":1`,
			} {
				if status, body := get(t, transport, scheme+"://web"+path); status != http.StatusOK || !strings.Contains(body, want) {
					t.Errorf("%s: status %d, %s", path, status, body)
				}
			}
			transport.CloseIdleConnections()
			stop()
			if code := <-code; code != app.ExitOK {
				t.Errorf("code %d, stderr %q", code, &p.stderr)
			}
			for _, want := range []string{`"msg":"serving"`, `"msg":"stopped"`} {
				if !strings.Contains(p.stderr.String(), want) {
					t.Errorf("the log lacks %s:\n%s", want, &p.stderr)
				}
			}
		})
	}
}

func TestServesWithoutItsNeighbour(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.serve(t)
	transport := p.transport(t)
	for path, want := range map[string]int{"/healthz": 200, "/": 200, "/api/carts/c": 503} {
		if status, body := get(t, transport, "http://web"+path); status != want {
			t.Errorf("%s: status %d, want %d: %s", path, status, want, body)
		}
	}
}

func TestListenFails(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.Listen = func(context.Context, string, string) (net.Listener, error) { return nil, errors.New("in use") }
	if code := p.Run(t.Context(), nil); code != app.ExitFailed || !strings.Contains(p.stderr.String(), "listen: in use") {
		t.Errorf("code %d, stderr %q", code, &p.stderr)
	}
}

func TestServeFails(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.listener.Close()
	if code := p.Run(t.Context(), nil); code != app.ExitFailed || !strings.Contains(p.stderr.String(), "serve:") {
		t.Errorf("code %d, stderr %q", code, &p.stderr)
	}
}
