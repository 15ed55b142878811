// Package cart connects to the cart service, the neighbour that this one needs.
//
// The connection is lazy: it is made by the first call and again after it broke,
// so this service starts and stays ready while its neighbour is away. A call
// waits for a connection that is being made as long as its own deadline lets
// it, and fails with UNAVAILABLE at once while none can be made.
package cart

import (
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"gitlab.com/selfcontained/shop/web/internal/tlsfiles"
)

// serviceConfig repeats calls that the neighbour could not take; all of its
// methods may be repeated. While most calls fail there are no more repetitions:
// they would add load where there is too much of it already.
// The format is github.com/grpc/grpc/blob/master/doc/service_config.md.
const serviceConfig = `{
  "methodConfig": [{
    "name": [{"service": "shop.cart.v1.CartService"}],
    "retryPolicy": {
      "maxAttempts": 3,
      "initialBackoff": "0.05s",
      "maxBackoff": "0.2s",
      "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE"]
    }
  }],
  "retryThrottling": {"maxTokens": 20, "tokenRatio": 0.1}
}`

// maxAnswer bounds what one answer may take of the memory.
const maxAnswer = 1 << 20

// Dial returns a connection to the service at address, host:port. With caFile,
// unless empty, it is TLS, and the service's certificate is verified against the
// CAs in that PEM file; otherwise plain text. No connection is made yet.
func Dial(address, caFile string, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	creds, err := transport(caFile)
	if err != nil {
		return nil, fmt.Errorf("cart service: %w", err)
	}
	// passthrough: a Kubernetes service is one address, which is looked up anew
	// for each connection; gRPC's own resolver would wait before it does.
	conn, err := grpc.NewClient("passthrough:///"+address, append(options(creds), more...)...)
	if err != nil {
		return nil, fmt.Errorf("cart service: %w", err)
	}
	return conn, nil
}

func transport(caFile string) (credentials.TransportCredentials, error) {
	if caFile == "" {
		return insecure.NewCredentials(), nil
	}
	config, err := tlsfiles.Client("", "", caFile)
	if err != nil {
		return nil, err
	}
	return credentials.NewTLS(config), nil
}

func options(creds credentials.TransportCredentials) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithNoProxy(), // the neighbour is in the same cluster
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)),
		// By default gRPC would wait up to two minutes before it tries again.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 2 * time.Second,
		}),
		// Not more often than a gRPC server lets a client by default. Timeout is
		// also how long sent data may stay without acknowledgement (Linux).
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 5 * time.Minute, Timeout: 5 * time.Second}),
	}
}
