package warehouse

import (
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"gitlab.com/selfcontained/shop/cart/internal/tlsfile"
)

// serviceConfig bounds each call and repeats those that did not reach the
// stock, or whose answer was lost: its methods may be repeated
// (https://github.com/grpc/grpc/blob/master/doc/service_config.md).
const serviceConfig = `{"methodConfig": [{
	"name": [{"service": "shop.stock.v1.StockService"}],
	"timeout": "3s",
	"retryPolicy": {
		"maxAttempts": 3, "initialBackoff": "0.05s", "maxBackoff": "0.5s", "backoffMultiplier": 2,
		"retryableStatusCodes": ["UNAVAILABLE"]
	}
}]}`

// Connect returns a connection to the stock at address, host:port, over TLS if
// caFile names the CAs to verify it against. The connection is made by the
// first call and, from then on, made again whenever it breaks; until it stands,
// calls wait, and fail at once when the attempt fails. The caller closes it.
func Connect(address, caFile string, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	creds, err := transport(caFile)
	if err != nil {
		return nil, fmt.Errorf("stock: %w", err)
	}
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithNoProxy(), // it is a neighbour
		// A neighbour that comes back is found within seconds; gRPC's own
		// limits are 20 s for an attempt and two minutes between two.
		grpc.WithConnectParams(grpc.ConnectParams{
			MinConnectTimeout: 2 * time.Second,
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second},
		}),
		// A peer that vanished without a word is noticed between calls too.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true}),
	}
	// Passthrough: the name is looked up for each attempt, so that a name that
	// is new, or has moved, is found at the next one.
	conn, err := grpc.NewClient("passthrough:///"+address, append(opts, more...)...)
	if err != nil {
		return nil, fmt.Errorf("stock: connect to %s: %w", address, err)
	}
	return conn, nil
}

func transport(caFile string) (credentials.TransportCredentials, error) {
	if caFile == "" {
		return insecure.NewCredentials(), nil
	}
	config, err := tlsfile.Client(caFile, "", "")
	if err != nil {
		return nil, err
	}
	return credentials.NewTLS(config), nil
}
