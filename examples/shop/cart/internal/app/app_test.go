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
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	cartv1 "gitlab.com/selfcontained/shop/cart/gen/cart/v1"
	"gitlab.com/selfcontained/shop/cart/internal/app"
	"gitlab.com/selfcontained/shop/cart/internal/certtest"
	"gitlab.com/selfcontained/shop/cart/internal/stocktest"
	"gitlab.com/selfcontained/shop/cart/internal/tlsfile"
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
	other.Dial = []grpc.DialOption{dialer(l)}
	return other
}

func dialer(l *bufconn.Listener) grpc.DialOption {
	return grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) })
}

func (p *program) listened() bool { return len(p.listening) > 0 }

func TestOutput(t *testing.T) {
	t.Parallel()
	for flag, want := range map[string]string{
		"--version": "cart 1.2.3\n",
		"-v":        "cart 1.2.3\n",
		"--help":    "--privkeyfile",
		"-h":        "Exit codes",
	} {
		p := newProgram()
		code := p.Run(t.Context(), []string{flag})
		if code != app.ExitOK || !strings.Contains(p.stdout.String(), want) || p.stderr.Len() > 0 {
			t.Errorf("%s: code %d, stdout %q, stderr %q", flag, code, &p.stdout, &p.stderr)
		}
		if strings.HasPrefix(want, "cart") && p.stdout.String() != want {
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
	if err := os.Mkdir(filepath.Join(dir, "cart.log"), 0o700); err != nil {
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
		{"--stock stock", app.ExitUsage, "--stock: expected host:port"},
		{"--stock-cafile " + file, app.ExitFailed, "stock: read CA certificates"},
		{"--cart-ttl 59s", app.ExitUsage, "--cart-ttl: expected 1m or more"},
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
	logs := filepath.Join(dir, "logs")
	p := newProgram()
	code := p.Run(t.Context(), []string{"-n", "-t", "-c", files.Cert, "-k", files.Key, "-a", files.CA, "--stock-cafile", files.CA, "-d", logs})
	if code != app.ExitOK || p.listened() {
		t.Fatalf("code %d, listened %v, stderr %q", code, p.listened(), &p.stderr)
	}
	if info, err := os.Stat(filepath.Join(logs, "cart.log")); err != nil || info.Size() == 0 {
		t.Errorf("log: %v, %v", info, err)
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
			go func() { code <- p.Run(ctx, slices.Concat(secure, []string{"-p", "1234"})) }()
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

// The whole service, from flags to the neighbour, over TLS on both sides.
func TestAnOrder(t *testing.T) {
	t.Parallel()
	files := certtest.New(t)
	config, err := tlsfile.Server(files.Cert, files.Key, "")
	if err != nil {
		t.Fatal(err)
	}
	creds := credentials.NewTLS(config)
	stock := stocktest.New(t, map[string]int64{"a": 5}, grpc.Creds(creds))
	p := newProgram()
	p.DialStock = []grpc.DialOption{stock.Dialer()}
	ctx, stop := context.WithCancel(t.Context())
	code := make(chan int, 1)
	go func() {
		code <- p.Run(ctx, []string{"-t", "-c", files.Cert, "-k", files.Key, "--stock-cafile", files.CA})
	}()
	<-p.listening
	order(t, p.client(t, files.CA))
	if onHand, reserved := stock.Pieces("a"); onHand != 3 || reserved != 0 {
		t.Errorf("%d on hand, %d reserved; want 3, 0", onHand, reserved)
	}
	stop()
	if code := <-code; code != app.ExitOK {
		t.Errorf("code %d, stderr %q", code, &p.stderr)
	}
}

func (p *program) client(t *testing.T, caFile string) cartv1.CartServiceClient {
	t.Helper()
	config, err := tlsfile.Client(caFile, "", "")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient("passthrough:///cart", grpc.WithTransportCredentials(credentials.NewTLS(config)), dialer(p.listener))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return cartv1.NewCartServiceClient(conn)
}

// order orders two pieces of "a".
func order(t *testing.T, c cartv1.CartServiceClient) {
	t.Helper()
	if _, err := c.SetLine(t.Context(), &cartv1.SetLineRequest{CartId: "c", Sku: "a", Quantity: 2}); err != nil {
		t.Fatal(err)
	}
	answer, err := c.Checkout(t.Context(), &cartv1.CheckoutRequest{CartId: "c"})
	if err != nil || answer.GetCart().GetState() != cartv1.Cart_STATE_ORDERED {
		t.Errorf("cart %v, error %v", answer.GetCart(), err)
	}
}

// The service is healthy though its neighbour is away; what needs the neighbour
// says so, and the log why.
func TestWithoutStock(t *testing.T) {
	t.Parallel()
	p, nobody := newProgram(), newProgram()
	nobody.listener.Close()
	p.DialStock = []grpc.DialOption{dialer(nobody.listener)}
	ctx, stop := context.WithCancel(t.Context())
	code := make(chan int, 1)
	go func() { code <- p.Run(ctx, nil) }()
	<-p.listening
	if probe := probe(p.listener); probe.Run(t.Context(), []string{"health"}) != app.ExitOK {
		t.Errorf("health: %s", &probe.stderr)
	}
	conn, err := grpc.NewClient("passthrough:///cart", grpc.WithTransportCredentials(insecure.NewCredentials()), dialer(p.listener))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = cartv1.NewCartServiceClient(conn).ListArticles(t.Context(), &cartv1.ListArticlesRequest{})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("error %v, want %v", err, codes.Unavailable)
	}
	stop()
	<-code
	if log := p.stderr.String(); !strings.Contains(log, `"level":"WARN"`) || !strings.Contains(log, "list articles") {
		t.Errorf("the log does not tell why:\n%s", log)
	}
}

func TestListenFails(t *testing.T) {
	t.Parallel()
	p := newProgram()
	p.Listen = func(context.Context, string, string) (net.Listener, error) { return nil, errors.New("in use") }
	if code := p.Run(t.Context(), nil); code != app.ExitFailed || !strings.Contains(p.stderr.String(), "listen: in use") {
		t.Errorf("code %d, stderr %q", code, &p.stderr)
	}
}

func TestServeFails(t *testing.T) {
	t.Parallel()
	p := newProgram()
	p.listener.Close()
	if code := p.Run(t.Context(), nil); code != app.ExitFailed || !strings.Contains(p.stderr.String(), "serve:") {
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
