package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// probeTimeout is the default timeout of Kubernetes' probes.
const probeTimeout = time.Second

// probe asks the server on this machine for its health, over TLS as well, with
// nothing but what the image holds. Kubernetes' own gRPC probe, which cannot
// speak TLS, asks on --health-port.
func (a App) probe(ctx context.Context, c config) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	opts := append([]grpc.DialOption{grpc.WithTransportCredentials(c.probeCredentials())}, a.Dial...)
	conn, err := grpc.NewClient("passthrough:///"+net.JoinHostPort("127.0.0.1", strconv.Itoa(int(c.port))), opts...)
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	defer conn.Close()
	answer, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	if answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		return fmt.Errorf("health: %v", answer.GetStatus())
	}
	return nil
}

// probeCredentials do not verify the certificate: it is made for the service's
// name and not for loopback, which nothing but loopback can be reached by.
func (c *config) probeCredentials() credentials.TransportCredentials {
	if !c.useTLS {
		return insecure.NewCredentials()
	}
	return credentials.NewTLS(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
}
