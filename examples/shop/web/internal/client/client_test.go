package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"gitlab.com/selfcontained/shop/web/internal/certtest"
	"gitlab.com/selfcontained/shop/web/internal/client"
	"gitlab.com/selfcontained/shop/web/internal/problem"
	"gitlab.com/selfcontained/shop/web/internal/server"
	"gitlab.com/selfcontained/shop/web/internal/tlsfiles"
)

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// start serves routes and returns how to reach them.
func start(t *testing.T, routes map[string]http.Handler, c server.Config) dialer {
	t.Helper()
	c.Log = slog.New(slog.DiscardHandler)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.New(routes, c).Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, listener.Addr().String())
	}
}

// echo answers with what was asked.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_, _ = io.WriteString(w, strings.TrimSpace(strings.Join([]string{r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), string(body)}, " "))+"\n")
}

// run returns what the client prints and its exit code.
func run(t *testing.T, dial dialer, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	c := client.New(&out, &err)
	c.Dial = dial
	code = c.Run(t.Context(), args)
	return out.String(), err.String(), code
}

func TestCommands(t *testing.T) {
	t.Parallel()
	dial := start(t, map[string]http.Handler{"/": http.HandlerFunc(echo)}, server.Config{})
	for command, want := range map[string]string{
		"list":         "GET /api/articles?page_token=",
		"list a&b":     "GET /api/articles?page_token=a%26b",
		"show c":       "GET /api/carts/c",
		"show c/d?e":   "GET /api/carts/c%2Fd%3Fe",
		"put c a/b 3":  `PUT /api/carts/c/lines/a%2Fb application/json {"quantity":3}`,
		"put c a 0":    `PUT /api/carts/c/lines/a application/json {"quantity":0}`,
		"remove c a/b": "DELETE /api/carts/c/lines/a%2Fb",
		"checkout c":   "POST /api/carts/c/checkout",
	} {
		stdout, stderr, code := run(t, dial, strings.Fields(command)...)
		if code != 0 || stdout != want+"\n" {
			t.Errorf("%s: code %d, %q, %q; want %q", command, code, stdout, stderr, want)
		}
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	dial := start(t, map[string]http.Handler{
		"GET /api/carts/c": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			(&problem.Problem{Kind: problem.Conflict, Detail: "too few"}).Write(w)
		}),
		"GET /api/carts/d": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "secret", http.StatusBadGateway) }),
		"GET /api/carts/e": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "9") }),
	}, server.Config{})
	for command, want := range map[string]string{
		"show c": "web-client: 409 Conflict: Not possible at present: too few (tag:selfcontained.gitlab.io,2026:shop/web/conflict)\n",
		"show d": "web-client: 502 Bad Gateway\n",
		"show e": "web-client: read answer: unexpected EOF\n",
	} {
		stdout, stderr, code := run(t, dial, strings.Fields(command)...)
		if code != 1 || stdout != "" || stderr != want {
			t.Errorf("%s: code %d, %q, %q; want %q", command, code, stdout, stderr, want)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	files := certtest.New(t)
	config, err := tlsfiles.Server(files.Cert, files.Key, files.CA)
	if err != nil {
		t.Fatal(err)
	}
	dial := start(t, map[string]http.Handler{"/": http.HandlerFunc(echo)}, server.Config{TLS: config})
	for args, want := range map[string]int{
		"-t -a " + files.CA + " list":                                            0,
		"-t -a " + files.CA + " -c " + files.Cert + " -k " + files.Key + " list": 0,
		"-t list": 1,
		"list":    1,
	} {
		if _, stderr, code := run(t, dial, strings.Fields(args)...); code != want {
			t.Errorf("%s: code %d, want %d; %s", args, code, want, stderr)
		}
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	files, absent := certtest.New(t), filepath.Join(t.TempDir(), "absent")
	refuse := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("refused") }
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"", 2, "no command"},
		{"--nonsense", 2, "unknown flag"},
		{"steal", 2, "unknown command"},
		{"show", 2, "usage: web-client show CART"},
		{"show a b", 2, "usage:"},
		{"put c a many", 2, "quantity"},
		{"-a " + files.CA + " list", 2, "need --usetls"},
		{"-t -a " + absent + " list", 1, absent},
		{"-t -a " + files.Key + " list", 1, "no PEM certificate"},
		{"-t -c " + files.Cert + " list", 1, "load certificate"},
		{"--client-ip %zz list", 1, "%zz"},
		{"list", 1, "refused"},
	} {
		_, stderr, code := run(t, refuse, strings.Fields(test.args)...)
		if code != test.code || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: code %d, %q; want %d, %q", test.args, code, stderr, test.code, test.want)
		}
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	stdout, stderr, code := run(t, nil, "--help")
	if code != 0 || stderr != "" || !strings.Contains(stdout, "--client-ip") || !strings.Contains(stdout, "--client-port") {
		t.Errorf("code %d, %q, %q", code, stdout, stderr)
	}
}
