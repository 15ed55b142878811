package server_test

import (
	"cmp"
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/mock/gomock"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	cartv1 "gitlab.com/selfcontained/shop/cart/gen/cart/v1"
	"gitlab.com/selfcontained/shop/cart/internal/certtest"
	"gitlab.com/selfcontained/shop/cart/internal/server"
	"gitlab.com/selfcontained/shop/cart/internal/tlsfile"
)

// dialHealth connects to the health port as the kubelet does.
func (r *running) dialHealth(t testing.TB) *grpc.ClientConn {
	t.Helper()
	return connect(t, r.health, insecure.NewCredentials())
}

func TestHealthPortSpeaksPlainText(t *testing.T) {
	t.Parallel()
	files := certtest.New(t)
	config, err := tlsfile.Server(files.Cert, files.Key, "")
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, NewMockShop(gomock.NewController(t)), server.Config{Log: quiet, TLS: config})
	conn := r.dialHealth(t)
	health := healthv1.NewHealthClient(conn)
	for service, want := range map[string]codes.Code{"": codes.OK, "shop.cart.v1.CartService": codes.OK, "other": codes.NotFound} {
		answer, err := health.Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
		if status.Code(err) != want || err == nil && answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("service %q: %v, error %v, want %v", service, answer.GetStatus(), err, want)
		}
	}
	if _, err := cartv1.NewCartServiceClient(conn).GetCart(t.Context(), &cartv1.GetCartRequest{CartId: "a"}); status.Code(err) != codes.Unimplemented {
		t.Errorf("other than health: error %v, want %v", err, codes.Unimplemented)
	}
	if _, err := healthv1.NewHealthClient(r.dial(t)).Check(t.Context(), &healthv1.HealthCheckRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("plain text on the main port: error %v, want %v", err, codes.Unavailable)
	}
}

func TestHealthPortTellsTheEndUntilTheLastCall(t *testing.T) {
	t.Parallel()
	r, release, result := blocked(t, time.Minute)
	defer release()
	conn := r.dialHealth(t)
	stream, err := healthv1.NewHealthClient(conn).Watch(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	awaitHealth(t, stream, healthv1.HealthCheckResponse_SERVING)
	r.stop()
	awaitHealth(t, stream, healthv1.HealthCheckResponse_NOT_SERVING)
	answer, err := healthv1.NewHealthClient(r.dialHealth(t)).Check(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil || answer.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("while a call runs: %v, error %v", answer.GetStatus(), err)
	}
	release()
	if err := <-result; err != nil {
		t.Error(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("after the last call: error %v, want %v", err, codes.Unavailable)
	}
}

// Whatever ends a server, both of its listeners are closed then.
func TestBothListenersEndTogether(t *testing.T) {
	t.Parallel()
	broken := errors.New("no listener")
	ended, end := context.WithCancel(t.Context())
	end()
	for name, test := range map[string]struct {
		ctx              context.Context
		listener, health error
	}{
		"end":          {ended, nil, nil},
		"main fails":   {t.Context(), broken, nil},
		"health fails": {t.Context(), nil, broken},
		"both fail":    {t.Context(), broken, broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			main, health := failing{bufconn.Listen(1), test.listener}, failing{bufconn.Listen(1), test.health}
			s := server.New(NewMockShop(gomock.NewController(t)), server.Config{Log: quiet})
			if err, want := s.Serve(test.ctx, main, health), cmp.Or(test.listener, test.health); !errors.Is(err, want) {
				t.Errorf("error %v, want %v", err, want)
			}
			for _, l := range []failing{main, health} {
				if _, err := l.Dial(); err == nil {
					t.Error("a listener is open")
				}
			}
		})
	}
}

// failing is a listener that fails with err, unless nil.
type failing struct {
	*bufconn.Listener
	err error
}

func (l failing) Accept() (net.Conn, error) {
	if l.err != nil {
		return nil, l.err
	}
	return l.Listener.Accept()
}

// A bubble ends when all that began in it did. Neither who watches nor who
// connects and says nothing may hold the health port up.
func TestNothingIsLeftOfTheHealthPort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := start(t, NewMockShop(gomock.NewController(t)), server.Config{Log: quiet})
		stream, err := healthv1.NewHealthClient(r.dialHealth(t)).Watch(t.Context(), &healthv1.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		awaitHealth(t, stream, healthv1.HealthCheckResponse_SERVING)
		silent, err := r.health.Dial()
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
		synctest.Wait() // it is accepted
		begin := time.Now()
		r.stop()
		if err := <-r.done; err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("the end took %v", took)
		}
	})
}
