// Package server offers the stock service over gRPC, with the standard health
// service beside it.
//
// The service's methods hold what is special about stock. What every service
// needs, errors to statuses, logs, panics and time limits, is done once, by
// interceptors; limits on messages and connections are options of the gRPC
// server. A service made from this template replaces service.go, convert.go and
// the table in errors.go, and keeps the rest.
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

	stockv1 "gitlab.com/selfcontained/shop/stock/gen/stock/v1"
)

// Limits that keep one client from using up the server.
const (
	maxRequest     = 64 << 10
	maxAnswer      = 1 << 20
	maxStreams     = 1000
	connectTimeout = 5 * time.Second
	// healthConnectTimeout is as long as the chart lets a probe wait.
	healthConnectTimeout = 2 * time.Second
	keepaliveTime        = time.Minute
	// keepaliveMin is how often a client may ask whether the server is there;
	// gRPC's own limit, five minutes, is too long to find a dead neighbour.
	keepaliveMin = 10 * time.Second
)

// Config is what a server is made of besides its store. Zero durations mean
// the defaults.
type Config struct {
	// Log receives one record for each call.
	Log *slog.Logger
	// TLS, unless nil, is the only way in but for the health port; nil means
	// plain text.
	TLS *tls.Config
	// MaxCall bounds the time of each call; 10 s by default.
	MaxCall time.Duration
	// Grace is how long running calls may take after the end was asked for;
	// 5 s by default.
	Grace time.Duration
}

// Server is the gRPC server with its services. It serves once.
type Server struct {
	grpc *grpc.Server
	// plain offers nothing but health, without TLS.
	plain  *grpc.Server
	health *health.Server
	grace  time.Duration
}

// New returns a server that is complete but does not listen. Its health is
// NOT_SERVING until Serve.
func New(store Store, c Config) *Server {
	s := &Server{
		grpc:   grpc.NewServer(options(c)...),
		plain:  grpc.NewServer(healthOptions(c)...),
		health: health.NewServer(),
		grace:  orDefault(c.Grace, 5*time.Second),
	}
	stockv1.RegisterStockServiceServer(s.grpc, &service{store: store})
	healthv1.RegisterHealthServer(s.grpc, s.health)
	healthv1.RegisterHealthServer(s.plain, s.health)
	s.setHealth(healthv1.HealthCheckResponse_NOT_SERVING)
	return s
}

func options(c Config) []grpc.ServerOption {
	if c.TLS == nil {
		return limits(c)
	}
	return append(limits(c), grpc.Creds(credentials.NewTLS(c.TLS)))
}

// healthOptions give up those who connect and say nothing soon: the end of the
// health port waits for them, after the time of grace.
func healthOptions(c Config) []grpc.ServerOption {
	return append(limits(c), grpc.ConnectionTimeout(healthConnectTimeout), grpc.WaitForHandlers(true))
}

// limits hold for each way in.
func limits(c Config) []grpc.ServerOption {
	return []grpc.ServerOption{
		unaryChain(c.Log, orDefault(c.MaxCall, 10*time.Second)),
		grpc.ChainStreamInterceptor(recoverStreamPanics),
		grpc.MaxRecvMsgSize(maxRequest),
		grpc.MaxSendMsgSize(maxAnswer),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(connectTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveTime}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveMin, PermitWithoutStream: true}),
	}
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
	s.health.SetServingStatus(stockv1.StockService_ServiceDesc.ServiceName, status)
}

// Serve answers calls on l until ctx ends, then lets running calls finish for
// the time of grace and returns nil. On plainHealth, unless nil, it answers
// health checks alone, without TLS, until the last call on l is done. One that
// fails ends the other. Both are closed.
func (s *Server) Serve(ctx context.Context, l, plainHealth net.Listener) error {
	// Set before the first connection is accepted: nobody sees it too early,
	// and nobody who gets in sees it too late.
	s.setHealth(healthv1.HealthCheckResponse_SERVING)
	ended, running := make(chan error, 2), 1
	go func() { ended <- s.grpc.Serve(l) }()
	if plainHealth != nil {
		running++
		go func() { ended <- s.plain.Serve(plainHealth) }()
	}
	var err error
	select {
	case err = <-ended:
		running--
	case <-ctx.Done():
	}
	s.stop()
	for range running {
		err = errors.Join(err, ignoreStopped(<-ended))
	}
	return err
}

// stop tells health watchers first, so that they send no more calls. The health
// port ends last: it says NOT_SERVING for as long as calls run.
func (s *Server) stop() {
	s.health.Shutdown()
	timer := time.AfterFunc(s.grace, s.grpc.Stop)
	defer timer.Stop()
	s.grpc.GracefulStop()
	s.plain.Stop()
}

// ignoreStopped: the end may be asked for before gRPC began to serve.
func ignoreStopped(err error) error {
	if errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}
