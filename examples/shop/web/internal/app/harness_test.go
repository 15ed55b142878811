package app_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	cartv1 "gitlab.com/selfcontained/shop/web/gen/cart/v1"
	"gitlab.com/selfcontained/shop/web/internal/app"
)

// program is the whole program on any free port of the loopback interface.
type program struct {
	app.App
	stdout, stderr bytes.Buffer
	listener       net.Listener
	listening      chan string // the address that was asked for
}

// newProgram returns a program that finds no cart service.
func newProgram(t testing.TB) *program {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &program{listener: l, listening: make(chan string, 1)}
	p.App = app.New("1.2.3", &p.stdout, &p.stderr)
	p.Listen = func(_ context.Context, _, address string) (net.Listener, error) {
		p.listening <- address
		return p.listener, nil
	}
	p.Dial = []grpc.DialOption{grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
		return nil, status.Error(codes.Unavailable, "there is none")
	})}
	return p
}

func (p *program) listened() bool { return len(p.listening) > 0 }

// transport reaches the program.
func (p *program) transport(t testing.TB) *http.Transport {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, p.listener.Addr().String())
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// serve runs the program until the test ends or stop is called; then its exit
// code arrives.
func (p *program) serve(t testing.TB, args ...string) (stop context.CancelFunc, code chan int) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	code = make(chan int, 1)
	go func() { code <- p.Run(ctx, args) }()
	t.Cleanup(stop)
	return stop, code
}

// shop is a cart service with one cart.
type shop struct {
	cartv1.UnimplementedCartServiceServer
}

func (shop) GetCart(_ context.Context, r *cartv1.GetCartRequest) (*cartv1.GetCartResponse, error) {
	return &cartv1.GetCartResponse{Cart: &cartv1.Cart{
		CartId: r.GetCartId(), State: cartv1.Cart_STATE_OPEN, Pieces: 1, Lines: []*cartv1.Line{{Sku: "a", Quantity: 1}},
	}}, nil
}

// withShop lets the program find a cart service.
func (p *program) withShop(t testing.TB) *program {
	t.Helper()
	l, s := bufconn.Listen(1<<16), grpc.NewServer()
	cartv1.RegisterCartServiceServer(s, shop{})
	go s.Serve(l)
	t.Cleanup(s.Stop)
	p.Dial = []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) })}
	return p
}

// get returns status and body.
func get(t testing.TB, transport http.RoundTripper, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}
