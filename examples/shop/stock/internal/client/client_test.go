package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"gitlab.com/selfcontained/shop/stock/internal/certtest"
	"gitlab.com/selfcontained/shop/stock/internal/client"
	"gitlab.com/selfcontained/shop/stock/internal/server"
	"gitlab.com/selfcontained/shop/stock/internal/store"
)

// start serves a new database and returns how to reach it.
func start(t *testing.T, c server.Config) grpc.DialOption {
	t.Helper()
	db, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	listener := bufconn.Listen(1 << 16)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	c.Log = slog.New(slog.NewJSONHandler(io.Discard, nil))
	go func() { done <- server.New(db, c).Serve(ctx, listener, nil) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		db.Close()
	})
	return grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) })
}

// run returns what the client prints and its exit code.
func run(t *testing.T, dial grpc.DialOption, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	c := client.New(&out, &err)
	if dial != nil {
		c.Dial = []grpc.DialOption{dial}
	}
	code = c.Run(t.Context(), args)
	return out.String(), err.String(), code
}

func TestCommands(t *testing.T) {
	t.Parallel()
	dial := start(t, server.Config{})
	for _, step := range []struct {
		command string
		code    int
		want    string // part of the compact answer, or of the error
	}{
		{"put a 10", 0, `"onHand":"10"`},
		{"get a", 0, `"available":"10"`},
		{"reserve k a=4", 0, `"STATE_HELD"`},
		{"commit k", 0, `"STATE_COMMITTED"`},
		{"release k", 1, "FailedPrecondition"},
		{"reserve l a=1", 0, `"STATE_HELD"`},
		{"release l", 0, `"STATE_RELEASED"`},
		{"list", 0, `"onHand":"6"`},
		{"list YQ", 0, `"items":[]`},
		{"get b", 1, "NotFound"},
	} {
		stdout, stderr, code := run(t, dial, strings.Fields(step.command)...)
		got := stderr
		if code == 0 {
			got = compact(t, stdout)
		}
		if code != step.code || !strings.Contains(got, step.want) {
			t.Errorf("%s: code %d, %s; want %d, %s", step.command, code, got, step.code, step.want)
		}
	}
}

// compact removes the spaces that protojson adds at random.
func compact(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTLS(t *testing.T) {
	t.Parallel()
	files := certtest.New(t)
	config, err := server.LoadTLS(files.Cert, files.Key, files.CA)
	if err != nil {
		t.Fatal(err)
	}
	dial := start(t, server.Config{TLS: config})
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
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"", 2, "no command"},
		{"--nonsense", 2, "unknown flag"},
		{"steal", 2, "unknown command"},
		{"get", 2, "usage: stock-client get SKU"},
		{"get a b", 2, "usage:"},
		{"put a many", 2, "pieces on hand"},
		{"reserve k a", 2, "SKU=QUANTITY"},
		{"reserve k a=x", 2, "SKU=QUANTITY"},
		{"-a " + files.CA + " list", 2, "need --usetls"},
		{"-t -a " + absent + " list", 1, absent},
		{"-t -a " + files.Key + " list", 1, "no PEM certificate"},
		{"-t -c " + files.Cert + " list", 1, "load certificate"},
	} {
		_, stderr, code := run(t, nil, strings.Fields(test.args)...)
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
