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

	cartv1 "gitlab.com/selfcontained/shop/cart/gen/cart/v1"
	"gitlab.com/selfcontained/shop/cart/internal/cart"
	"gitlab.com/selfcontained/shop/cart/internal/server"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	r := start(t, NewMockShop(gomock.NewController(t)), server.Config{Log: quiet, Grace: time.Minute})
	client := healthv1.NewHealthClient(r.dial(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel() // a watcher that stays would use up the time of grace
	stream, err := client.Watch(ctx, &healthv1.HealthCheckRequest{Service: "shop.cart.v1.CartService"})
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
	shop := NewMockShop(gomock.NewController(t))
	shop.EXPECT().Cart(gomock.Any(), "a").DoAndReturn(func(context.Context, string) (cart.Cart, error) {
		begin()
		<-ctx.Done()
		return cart.Cart{ID: "a"}, nil
	})
	r := start(t, shop, server.Config{Log: quiet, Grace: grace})
	client := cartv1.NewCartServiceClient(r.dial(t))
	result := make(chan error, 1)
	go func() { result <- errOf(client.GetCart(context.Background(), &cartv1.GetCartRequest{CartId: "a"})) }()
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
	s := server.New(NewMockShop(gomock.NewController(t)), server.Config{Log: quiet})
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
	shop := NewMockShop(gomock.NewController(t))
	shop.EXPECT().Cart(gomock.Any(), "a").DoAndReturn(func(ctx context.Context, _ string) (cart.Cart, error) {
		<-ctx.Done()
		return cart.Cart{}, ctx.Err()
	})
	r := start(t, shop, server.Config{Log: quiet, MaxCall: time.Millisecond})
	_, err := cartv1.NewCartServiceClient(r.dial(t)).GetCart(t.Context(), &cartv1.GetCartRequest{CartId: "a"})
	if status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("error %v, want %v", err, codes.DeadlineExceeded)
	}
}

func TestLargeMessagesAreRefused(t *testing.T) {
	t.Parallel()
	client, _ := mocked(t)
	_, err := client.GetCart(t.Context(), &cartv1.GetCartRequest{CartId: strings.Repeat("x", 1<<17)})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("error %v, want %v", err, codes.ResourceExhausted)
	}
}

func TestPanicsAreRecoveredAndLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	shop := NewMockShop(gomock.NewController(t))
	get := shop.EXPECT().Cart
	gomock.InOrder(
		get(gomock.Any(), "a").Do(func(context.Context, string) { panic("secret") }),
		get(gomock.Any(), "a").Do(func(context.Context, string) { _ = []int{}[len("x")] }),
		get(gomock.Any(), "a").Return(cart.Cart{ID: "a"}, nil),
	)
	r := start(t, shop, server.Config{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	client := cartv1.NewCartServiceClient(r.dial(t))
	for _, want := range []codes.Code{codes.Internal, codes.Internal, codes.OK} {
		_, err := client.GetCart(t.Context(), &cartv1.GetCartRequest{CartId: "a"})
		if status.Code(err) != want {
			t.Errorf("error %v, want %v", err, want)
		}
	}
	r.stop()
	if err := <-r.done; err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"panic: string", "index out of range", `"code":"OK"`, "/shop.cart.v1.CartService/GetCart"} {
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
		r := start(t, NewMockShop(gomock.NewController(t)), server.Config{Log: slog.New(handler)})
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
