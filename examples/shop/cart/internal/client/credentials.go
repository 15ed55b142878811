package client

import (
	"fmt"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"gitlab.com/selfcontained/shop/cart/internal/tlsfile"
)

func (c *config) credentials() (credentials.TransportCredentials, error) {
	if !c.useTLS {
		if c.certFile+c.keyFile+c.caFile != "" {
			return nil, fmt.Errorf("--certfile, --privkeyfile and --cafile need --usetls; %w", errUsage)
		}
		return insecure.NewCredentials(), nil
	}
	config, err := tlsfile.Client(c.caFile, c.certFile, c.keyFile)
	if err != nil {
		return nil, err
	}
	return credentials.NewTLS(config), nil
}
