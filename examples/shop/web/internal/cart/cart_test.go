package cart_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	cartv1 "gitlab.com/selfcontained/shop/web/gen/cart/v1"
	"gitlab.com/selfcontained/shop/web/internal/cart"
	"gitlab.com/selfcontained/shop/web/internal/certtest"
)

// neighbour is a cart service that refuses the first calls.
type neighbour struct {
	cartv1.UnimplementedCartServiceServer
	refusals, calls atomic.Int32
}

func (n *neighbour) GetCart(context.Context, *cartv1.GetCartRequest) (*cartv1.GetCartResponse, error) {
	if n.calls.Add(1) <= n.refusals.Load() {
		return nil, status.Error(codes.Unavailable, "not now")
	}
	return &cartv1.GetCartResponse{Cart: &cartv1.Cart{CartId: "c"}}, nil
}

// serve lets n answer on a listener in memory until the test ends.
func serve(t *testing.T, n *neighbour, opts ...grpc.ServerOption) *bufconn.Listener {
	t.Helper()
	l, s := bufconn.Listen(1<<16), grpc.NewServer(opts...)
	cartv1.RegisterCartServiceServer(s, n)
	go s.Serve(l)
	t.Cleanup(s.Stop)
	return l
}

// through makes connections by dial instead of the network.
func through(dial func(context.Context) (net.Conn, error)) grpc.DialOption {
	return grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return dial(ctx) })
}

func client(t *testing.T, address, caFile string, dial grpc.DialOption) cartv1.CartServiceClient {
	t.Helper()
	conn, err := cart.Dial(address, caFile, dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return cartv1.NewCartServiceClient(conn)
}

func get(t *testing.T, c cartv1.CartServiceClient, limit time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	_, err := c.GetCart(ctx, &cartv1.GetCartRequest{CartId: "c"})
	return err
}

func TestUnavailableIsRepeated(t *testing.T) {
	t.Parallel()
	for refusals, want := range map[int32]codes.Code{0: codes.OK, 2: codes.OK, 3: codes.Unavailable} {
		n := &neighbour{}
		n.refusals.Store(refusals)
		err := get(t, client(t, "cart:1", "", through(serve(t, n).DialContext)), 10*time.Second)
		if status.Code(err) != want || n.calls.Load() != min(refusals+1, 3) {
			t.Errorf("%d refusals: error %v after %d calls, want %v", refusals, err, n.calls.Load(), want)
		}
	}
}

func TestAbsentNeighbourIsNoticedAtOnce(t *testing.T) {
	t.Parallel()
	refuse := through(func(context.Context) (net.Conn, error) { return nil, errors.New("refused") })
	start := time.Now()
	err := get(t, client(t, "cart:1", "", refuse), time.Minute)
	if took := time.Since(start); status.Code(err) != codes.Unavailable || took > 5*time.Second {
		t.Errorf("error %v after %v", err, took)
	}
}

func TestNeighbourThatComesLaterIsFound(t *testing.T) {
	t.Parallel()
	var there atomic.Bool
	l := serve(t, &neighbour{})
	c := client(t, "cart:1", "", through(func(ctx context.Context) (net.Conn, error) {
		if !there.Load() {
			return nil, errors.New("refused")
		}
		return l.DialContext(ctx)
	}))
	if err := get(t, c, time.Minute); status.Code(err) != codes.Unavailable {
		t.Fatalf("error %v, want %v", err, codes.Unavailable)
	}
	there.Store(true)
	for deadline := time.Now().Add(10 * time.Second); ; {
		err := get(t, c, time.Minute)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("still not found: ", err)
		}
	}
}

func TestWaitingIsBoundedByTheCall(t *testing.T) {
	t.Parallel()
	hang := through(func(ctx context.Context) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() })
	if err := get(t, client(t, "cart:1", "", hang), 20*time.Millisecond); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("error %v, want %v", err, codes.DeadlineExceeded)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	files, strangers := certtest.New(t), certtest.New(t)
	creds, err := credentials.NewServerTLSFromFile(files.Cert, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	dial := through(serve(t, &neighbour{}, grpc.Creds(creds)).DialContext)
	for name, test := range map[string]struct {
		address, ca string
		want        codes.Code
	}{
		"verified":          {"web:1", files.CA, codes.OK}, // the name in the certificate
		"another name":      {"cart:1", files.CA, codes.Unavailable},
		"another authority": {"web:1", strangers.CA, codes.Unavailable},
		"plain text":        {"web:1", "", codes.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := get(t, client(t, test.address, test.ca, dial), time.Minute); status.Code(err) != test.want {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}

func TestDialErrors(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, noCA := cart.Dial("cart:1", empty)
	_, badConfig := cart.Dial("cart:1", "", grpc.WithDefaultServiceConfig("{"))
	for want, err := range map[string]error{empty: noCA, "service config": badConfig} {
		if err == nil || !strings.HasPrefix(err.Error(), "cart service: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
