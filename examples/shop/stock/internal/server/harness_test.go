package server_test

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"gitlab.com/selfcontained/shop/stock/internal/server"
)

// running is a server in this process; its clients reach it through memory.
type running struct {
	listener, health *bufconn.Listener
	stop             context.CancelFunc
	done             chan error
}

// start serves store until the test ends or stop is called.
func start(t testing.TB, store server.Store, c server.Config) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{bufconn.Listen(1 << 20), bufconn.Listen(1 << 20), cancel, make(chan error, 1)}
	s := server.New(store, c)
	go func() {
		defer close(r.done)
		r.done <- s.Serve(ctx, r.listener, r.health)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-r.done; err != nil {
			t.Error("serve:", err)
		}
	})
	return r
}

func (r *running) dial(t testing.TB) *grpc.ClientConn {
	t.Helper()
	return r.dialWith(t, insecure.NewCredentials())
}

func (r *running) dialWith(t testing.TB, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	return connect(t, r.listener, creds)
}

func connect(t testing.TB, l *bufconn.Listener, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///stock",
		grpc.WithTransportCredentials(creds),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
