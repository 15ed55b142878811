package app_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"gitlab.com/selfcontained/shop/stock/internal/app"
	"gitlab.com/selfcontained/shop/stock/internal/certtest"
	"gitlab.com/selfcontained/shop/stock/internal/store"
)

// program is the whole program with memory in place of the network.
type program struct {
	app.App
	stdout, stderr   bytes.Buffer
	listener, health *bufconn.Listener
	listening        chan string // the addresses that were asked for
}

// healthAddress is what a program asks for that is run with --health-port 1235.
const healthAddress = ":1235"

func newProgram() *program {
	p := &program{listener: bufconn.Listen(1 << 16), health: bufconn.Listen(1 << 16), listening: make(chan string, 2)}
	p.App = app.New("1.2.3", &p.stdout, &p.stderr)
	p.Listen = func(_ context.Context, _, address string) (net.Listener, error) {
		p.listening <- address
		if address == healthAddress {
			return p.health, nil
		}
		return p.listener, nil
	}
	return p
}

// probe returns a program whose health command reaches l.
func probe(l *bufconn.Listener) *program {
	other := newProgram()
	other.Dial = []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return l.DialContext(ctx)
	})}
	return other
}

func (p *program) listened() bool { return len(p.listening) > 0 }

func TestOutput(t *testing.T) {
	t.Parallel()
	for flag, want := range map[string]string{
		"--version": "stock 1.2.3\n",
		"-v":        "stock 1.2.3\n",
		"--help":    "--privkeyfile",
		"-h":        "Exit codes",
	} {
		p := newProgram()
		code := p.Run(t.Context(), []string{flag})
		if code != app.ExitOK || !strings.Contains(p.stdout.String(), want) || p.stderr.Len() > 0 {
			t.Errorf("%s: code %d, stdout %q, stderr %q", flag, code, &p.stdout, &p.stderr)
		}
		if strings.HasPrefix(want, "stock") && p.stdout.String() != want {
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
	if err := os.Mkdir(filepath.Join(dir, "stock.log"), 0o700); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		args string
		code int
		want string
	}{
		{"--nonsense", app.ExitUsage, "unknown flag"},
		{"--port 70000", app.ExitUsage, "--port"},
		{"--health-port -1", app.ExitUsage, "--health-port"},
		{"--port 1234 --health-port 1234", app.ExitUsage, "must differ"},
		{"--loglevel loud", app.ExitUsage, "--loglevel"},
		{"serve", app.ExitUsage, "unexpected arguments"},
		{"health health", app.ExitUsage, "unexpected arguments"},
		{"-t", app.ExitUsage, "needs --certfile"},
		{"-k " + files.Key, app.ExitUsage, "need --usetls"},
		{"-t -c " + file + " -k " + file, app.ExitFailed, "load certificate"},
		{"-d " + file, app.ExitFailed, "create log folder"},
		{"-d " + dir, app.ExitFailed, "open log"},
		{"--data " + file, app.ExitFailed, "create data folder"},
		{"--seed " + file, app.ExitUsage, "--seed " + file + ": expected a JSON object"},
		{"--seed " + filepath.Join(dir, "absent"), app.ExitFailed, "read seed"},
	}
	for _, test := range tests {
		p := newProgram()
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
	files, dir := certtest.New(t), t.TempDir()
	data, logs := filepath.Join(dir, "data"), filepath.Join(dir, "logs")
	p := newProgram()
	code := p.Run(t.Context(), []string{"-n", "-t", "-c", files.Cert, "-k", files.Key, "-a", files.CA, "--data", data, "-d", logs})
	if code != app.ExitOK || p.listened() {
		t.Fatalf("code %d, listened %v, stderr %q", code, p.listened(), &p.stderr)
	}
	for _, path := range []string{filepath.Join(data, store.FileName), filepath.Join(logs, "stock.log")} {
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
}

func TestDryRunFindsALockedDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p := newProgram()
	if code := p.Run(t.Context(), []string{"-n", "--data", dir}); code != app.ExitFailed || !strings.Contains(p.stderr.String(), "locked") {
		t.Errorf("code %d, stderr %q", code, &p.stderr)
	}
}

func TestSeedPutsArticlesOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seed, data := filepath.Join(dir, "seed.json"), filepath.Join(dir, "data")
	if err := os.WriteFile(seed, []byte(`{"apple": 10, "pear": 0}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"created":2`, `"created":0`} {
		p := newProgram()
		if code := p.Run(t.Context(), []string{"-n", "--data", data, "--seed", seed}); code != app.ExitOK || !strings.Contains(p.stderr.String(), want) {
			t.Errorf("code %d, stderr %q, want %s", code, &p.stderr, want)
		}
	}
	db, err := store.Open(data)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if item, err := db.Item(t.Context(), "apple"); item.OnHand != 10 || err != nil {
		t.Errorf("item %+v, error %v; want 10 on hand", item, err)
	}
}

func TestSeedEndsWithTheProgram(t *testing.T) {
	t.Parallel()
	seed := filepath.Join(t.TempDir(), "seed.json")
	if err := os.WriteFile(seed, []byte(`{"apple": 10}`), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := newProgram()
	if code := p.Run(ctx, []string{"--data", t.TempDir(), "--seed", seed}); code != app.ExitFailed || !strings.Contains(p.stderr.String(), "seed: ") {
		t.Errorf("code %d, stderr %q", code, &p.stderr)
	}
}

func TestServeAndProbe(t *testing.T) {
	t.Parallel()
	files := certtest.New(t)
	for name, secure := range map[string][]string{
		"plain": nil,
		"TLS":   {"-t", "-c", files.Cert, "-k", files.Key},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithCancel(t.Context())
			p, code := newProgram(), make(chan int, 1)
			go func() { code <- p.Run(ctx, slices.Concat(secure, []string{"--data", t.TempDir(), "-p", "1234"})) }()
			if address := <-p.listening; address != ":1234" {
				t.Errorf("listens on %q", address)
			}
			probe := probe(p.listener)
			if code := probe.Run(ctx, slices.Concat(secure, []string{"health"})); code != app.ExitOK {
				t.Errorf("health: code %d, stderr %q", code, &probe.stderr)
			}
			stop()
			if code := <-code; code != app.ExitOK {
				t.Errorf("code %d, stderr %q", code, &p.stderr)
			}
			if p.listened() {
				t.Error("listens twice")
			}
			for _, want := range []string{`"msg":"serving"`, `"msg":"stopped"`} {
				if !strings.Contains(p.stderr.String(), want) {
					t.Errorf("the log lacks %s:\n%s", want, &p.stderr)
				}
			}
		})
	}
}

func TestListenFails(t *testing.T) {
	t.Parallel()
	p := newProgram()
	p.Listen = func(context.Context, string, string) (net.Listener, error) { return nil, errors.New("in use") }
	if code := p.Run(t.Context(), []string{"--data", t.TempDir()}); code != app.ExitFailed || !strings.Contains(p.stderr.String(), "listen: in use") {
		t.Errorf("code %d, stderr %q", code, &p.stderr)
	}
}

func TestServeFails(t *testing.T) {
	t.Parallel()
	p := newProgram()
	p.listener.Close()
	if code := p.Run(t.Context(), []string{"--data", t.TempDir()}); code != app.ExitFailed || !strings.Contains(p.stderr.String(), "serve:") {
		t.Errorf("code %d, stderr %q", code, &p.stderr)
	}
}

func TestProbeOfNothingFails(t *testing.T) {
	t.Parallel()
	p := newProgram()
	p.listener.Close()
	probe := probe(p.listener)
	if code := probe.Run(t.Context(), []string{"health"}); code != app.ExitFailed || !strings.Contains(probe.stderr.String(), "health:") {
		t.Errorf("code %d, stderr %q", code, &probe.stderr)
	}
}
