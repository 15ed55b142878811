package server_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/mock/gomock"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	stockv1 "gitlab.com/selfcontained/shop/stock/gen/stock/v1"
	"gitlab.com/selfcontained/shop/stock/internal/server"
	"gitlab.com/selfcontained/shop/stock/internal/stock"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	r := start(t, NewMockStore(gomock.NewController(t)), server.Config{Log: quiet, Grace: time.Minute})
	client := healthv1.NewHealthClient(r.dial(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel() // a watcher that stays would use up the time of grace
	stream, err := client.Watch(ctx, &healthv1.HealthCheckRequest{Service: "shop.stock.v1.StockService"})
	if err != nil {
		t.Fatal(err)
	}
	awaitHealth(t, stream, healthv1.HealthCheckResponse_SERVING)
	if _, err := client.Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil {
		t.Error(err)
	}
	_, err = client.Check(t.Context(), &healthv1.HealthCheckRequest{Service: "other"})
	if status.Code(err) != codes.NotFound {
		t.Errorf("other service: %v", err)
	}
	r.stop()
	awaitHealth(t, stream, healthv1.HealthCheckResponse_NOT_SERVING)
}

func awaitHealth(t *testing.T, stream grpc.ServerStreamingClient[healthv1.HealthCheckResponse], want healthv1.HealthCheckResponse_ServingStatus) {
	t.Helper()
	for {
		answer, err := stream.Recv()
		if err != nil {
			t.Fatalf("waiting for %v: %v", want, err)
		}
		if answer.GetStatus() == want {
			return
		}
	}
}

// blocked returns a server in the middle of a call that ends when release is
// called; the call's error arrives on the channel.
func blocked(t *testing.T, grace time.Duration) (*running, context.CancelFunc, chan error) {
	t.Helper()
	started, begin := context.WithCancel(context.Background())
	ctx, release := context.WithCancel(context.Background())
	t.Cleanup(release)
	store := NewMockStore(gomock.NewController(t))
	store.EXPECT().Item(gomock.Any(), "a").DoAndReturn(func(context.Context, string) (stock.Item, error) {
		begin()
		<-ctx.Done()
		return stock.Item{SKU: "a"}, nil
	})
	r := start(t, store, server.Config{Log: quiet, Grace: grace})
	client := stockv1.NewStockServiceClient(r.dial(t))
	result := make(chan error, 1)
	go func() { result <- errOf(client.GetItem(context.Background(), &stockv1.GetItemRequest{Sku: "a"})) }()
	<-started.Done()
	return r, release, result
}

func TestRunningCallsFinishBeforeTheEnd(t *testing.T) {
	t.Parallel()
	r, release, result := blocked(t, time.Minute)
	r.stop()
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
	if err := <-result; status.Code(err) != codes.Unavailable {
		t.Errorf("error %v, want %v", err, codes.Unavailable)
	}
}

func TestServeReportsAFailingListener(t *testing.T) {
	t.Parallel()
	s := server.New(NewMockStore(gomock.NewController(t)), server.Config{Log: quiet})
	want := errors.New("no listener")
	if err := s.Serve(t.Context(), brokenListener{want}, nil); !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

type brokenListener struct{ err error }

func (l brokenListener) Accept() (net.Conn, error) { return nil, l.err }
func (l brokenListener) Close() error              { return nil }
func (l brokenListener) Addr() net.Addr            { return &net.UnixAddr{} }

func TestCallsAreBoundedInTime(t *testing.T) {
	t.Parallel()
	store := NewMockStore(gomock.NewController(t))
	store.EXPECT().Item(gomock.Any(), "a").DoAndReturn(func(ctx context.Context, _ string) (stock.Item, error) {
		<-ctx.Done()
		return stock.Item{}, ctx.Err()
	})
	r := start(t, store, server.Config{Log: quiet, MaxCall: time.Millisecond})
	_, err := stockv1.NewStockServiceClient(r.dial(t)).GetItem(t.Context(), &stockv1.GetItemRequest{Sku: "a"})
	if status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("error %v, want %v", err, codes.DeadlineExceeded)
	}
}

func TestLargeMessagesAreRefused(t *testing.T) {
	t.Parallel()
	client, _ := mocked(t)
	_, err := client.GetItem(t.Context(), &stockv1.GetItemRequest{Sku: strings.Repeat("x", 1<<17)})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("error %v, want %v", err, codes.ResourceExhausted)
	}
}

func TestPanicsAreRecoveredAndLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	store := NewMockStore(gomock.NewController(t))
	item := store.EXPECT().Item
	gomock.InOrder(
		item(gomock.Any(), "a").Do(func(context.Context, string) { panic("secret") }),
		item(gomock.Any(), "a").Do(func(context.Context, string) { _ = []int{}[len("x")] }),
		item(gomock.Any(), "a").Return(stock.Item{SKU: "a"}, nil),
	)
	r := start(t, store, server.Config{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	client := stockv1.NewStockServiceClient(r.dial(t))
	for _, want := range []codes.Code{codes.Internal, codes.Internal, codes.OK} {
		_, err := client.GetItem(t.Context(), &stockv1.GetItemRequest{Sku: "a"})
		if status.Code(err) != want {
			t.Errorf("error %v, want %v", err, want)
		}
	}
	r.stop()
	if err := <-r.done; err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"panic: string", "index out of range", `"code":"OK"`, "/shop.stock.v1.StockService/GetItem"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, &log)
		}
	}
	if strings.Contains(log.String(), "secret") {
		t.Errorf("the log tells a secret:\n%s", &log)
	}
}

func TestProbesAreLoggedAtDebug(t *testing.T) {
	t.Parallel()
	for level, want := range map[slog.Level]bool{slog.LevelInfo: false, slog.LevelDebug: true} {
		var log bytes.Buffer
		handler := slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: level})
		r := start(t, NewMockStore(gomock.NewController(t)), server.Config{Log: slog.New(handler)})
		if _, err := healthv1.NewHealthClient(r.dial(t)).Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil {
			t.Fatal(err)
		}
		r.stop()
		if err := <-r.done; err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(log.String(), "Health/Check"); got != want {
			t.Errorf("level %v: logged %v, want %v", level, got, want)
		}
	}
}
