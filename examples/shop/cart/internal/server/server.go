// Package server offers the cart service over gRPC, with the standard health
// service beside it.
//
// The service's methods hold what is special about carts. What every service
// needs, errors to statuses, logs, panics and time limits, is done once, by
// interceptors; limits on messages and connections are options of the gRPC
// server. The health is that of this process: it serves though its neighbour,
// the stock, is away, and says so in the answers of the calls that need it.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	cartv1 "gitlab.com/selfcontained/shop/cart/gen/cart/v1"
)

// Limits that keep one client from using up the server.
const (
	maxRequest     = 64 << 10
	maxAnswer      = 1 << 20
	maxStreams     = 1000
	connectTimeout = 5 * time.Second
	keepaliveTime  = time.Minute
	// keepaliveMin is how often a client may ask whether the server is there.
	keepaliveMin = 10 * time.Second
)

// Config is what a server is made of besides the shop. Zero durations mean
// the defaults.
type Config struct {
	// Log receives one record for each call.
	Log *slog.Logger
	// TLS, unless nil, is the only way in; nil means plain text.
	TLS *tls.Config
	// MaxCall bounds the time of each call; 10 s by default.
	MaxCall time.Duration
	// Grace is how long running calls may take after the end was asked for;
	// 5 s by default.
	Grace time.Duration
}

// Server is the gRPC server with its services. It serves once.
type Server struct {
	grpc   *grpc.Server
	health *health.Server
	grace  time.Duration
}

// New returns a server that is complete but does not listen. Its health is
// NOT_SERVING until Serve.
func New(shop Shop, c Config) *Server {
	s := &Server{
		grpc:   grpc.NewServer(options(c)...),
		health: health.NewServer(),
		grace:  orDefault(c.Grace, 5*time.Second),
	}
	cartv1.RegisterCartServiceServer(s.grpc, &service{shop: shop})
	healthv1.RegisterHealthServer(s.grpc, s.health)
	s.setHealth(healthv1.HealthCheckResponse_NOT_SERVING)
	return s
}

func options(c Config) []grpc.ServerOption {
	opts := []grpc.ServerOption{
		unaryChain(c.Log, orDefault(c.MaxCall, 10*time.Second)),
		grpc.ChainStreamInterceptor(recoverStreamPanics),
		grpc.MaxRecvMsgSize(maxRequest),
		grpc.MaxSendMsgSize(maxAnswer),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(connectTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveTime}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveMin, PermitWithoutStream: true}),
	}
	if c.TLS != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(c.TLS)))
	}
	return opts
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// setHealth sets the health of the process ("") and of the service.
func (s *Server) setHealth(status healthv1.HealthCheckResponse_ServingStatus) {
	s.health.SetServingStatus("", status)
	s.health.SetServingStatus(cartv1.CartService_ServiceDesc.ServiceName, status)
}

// Serve answers calls on l until ctx ends, then lets running calls finish for
// the time of grace and returns nil. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	// Set before the first connection is accepted: nobody sees it too early,
	// and nobody who gets in sees it too late.
	s.setHealth(healthv1.HealthCheckResponse_SERVING)
	failed := make(chan error, 1)
	go func() { failed <- s.grpc.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		s.stop()
		return ignoreStopped(<-failed)
	}
}

// stop tells health watchers first, so that they send no more calls.
func (s *Server) stop() {
	s.health.Shutdown()
	timer := time.AfterFunc(s.grace, s.grpc.Stop)
	defer timer.Stop()
	s.grpc.GracefulStop()
}

// ignoreStopped: the end may be asked for before gRPC began to serve.
func ignoreStopped(err error) error {
	if errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}
