package warehouse_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	stockv1 "gitlab.com/selfcontained/shop/cart/gen/stock/v1"
	"gitlab.com/selfcontained/shop/cart/internal/cart"
	"gitlab.com/selfcontained/shop/cart/internal/certtest"
	"gitlab.com/selfcontained/shop/cart/internal/stocktest"
	"gitlab.com/selfcontained/shop/cart/internal/tlsfile"
	"gitlab.com/selfcontained/shop/cart/internal/warehouse"
)

// connect returns a warehouse with a real connection, made as opts say.
func connect(t *testing.T, caFile string, opts ...grpc.DialOption) *warehouse.Warehouse {
	t.Helper()
	conn, err := warehouse.Connect("stock:50051", caFile, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return warehouse.New(stockv1.NewStockServiceClient(conn))
}

func TestAnOrder(t *testing.T) {
	t.Parallel()
	stock := stocktest.New(t, map[string]int64{"a": 5})
	w := connect(t, "", stock.Dialer())
	if err := w.Reserve(t.Context(), "k", []cart.Line{{SKU: "a", Quantity: 2}}); err != nil {
		t.Fatal(err)
	}
	if article, err := w.Article(t.Context(), "a"); article.Available != 3 || err != nil {
		t.Errorf("article %v, error %v; want 3 available", article, err)
	}
	if err := w.Commit(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if onHand, reserved := stock.Pieces("a"); onHand != 3 || reserved != 0 {
		t.Errorf("%d on hand, %d reserved; want 3, 0", onHand, reserved)
	}
}

func TestCallsThatGotLostAreRepeated(t *testing.T) {
	t.Parallel()
	stock := stocktest.New(t, map[string]int64{"a": 5})
	w := connect(t, "", stock.Dialer())
	var calls atomic.Int64
	stock.Fail(func(_ string, done bool) error {
		if calls.Add(1) <= 2 && !done {
			return status.Error(codes.Unavailable, "lost")
		}
		return nil
	})
	if _, err := w.Article(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	stock.Fail(func(string, bool) error { return status.Error(codes.Unavailable, "all lost") })
	if _, err := w.Article(t.Context(), "a"); !errors.Is(err, cart.ErrUnavailable) {
		t.Errorf("error %v, want %v", err, cart.ErrUnavailable)
	}
}

func TestAnAbsentStockIsToldSoon(t *testing.T) {
	t.Parallel()
	w := connect(t, "", grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
		return nil, errors.New("connection refused")
	}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := w.Article(ctx, "a"); !errors.Is(err, cart.ErrUnavailable) {
		t.Errorf("error %v, want %v", err, cart.ErrUnavailable)
	}
}

// A stock that comes back is found by the same connection.
func TestAStockThatComesLate(t *testing.T) {
	t.Parallel()
	stock := stocktest.New(t, map[string]int64{"a": 5})
	attempts := make(chan string, 10)
	w := connect(t, "", stock.DialerAfter(2, attempts))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := w.Article(ctx, "a")
	for errors.Is(err, cart.ErrUnavailable) {
		_, err = w.Article(ctx, "a")
	}
	if err != nil {
		t.Error(err)
	}
	if address := <-attempts; address != "stock:50051" {
		t.Errorf("dials %q", address)
	}
}

// Nobody waits for a stock that neither answers nor refuses.
func TestWaitingEndsWithTheCall(t *testing.T) {
	t.Parallel()
	w := connect(t, "", grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := w.Article(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	files, strangers := certtest.New(t), certtest.New(t)
	config, err := tlsfile.Server(files.Cert, files.Key, "")
	if err != nil {
		t.Fatal(err)
	}
	stock := stocktest.New(t, map[string]int64{"a": 5}, grpc.Creds(credentials.NewTLS(config)))
	for name, test := range map[string]struct {
		ca   string
		want error
	}{
		"known":      {files.CA, nil},
		"a stranger": {strangers.CA, cart.ErrUnavailable},
		"plain text": {"", cart.ErrUnavailable},
	} {
		if _, err := connect(t, test.ca, stock.Dialer()).Article(t.Context(), "a"); !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", name, err, test.want)
		}
	}
}

func TestConnectMistakes(t *testing.T) {
	t.Parallel()
	absent := filepath.Join(t.TempDir(), "absent")
	if _, err := warehouse.Connect("stock:50051", absent); err == nil || !strings.Contains(err.Error(), absent) {
		t.Errorf("error %v, want one with %s", err, absent)
	}
	if _, err := warehouse.Connect("stock:50051", "", grpc.WithDefaultServiceConfig("?")); err == nil {
		t.Error("a broken service config is accepted")
	}
}
