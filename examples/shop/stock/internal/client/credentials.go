package client

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

func (c *config) credentials() (credentials.TransportCredentials, error) {
	if !c.useTLS {
		if c.certFile+c.keyFile+c.caFile != "" {
			return nil, fmt.Errorf("--certfile, --privkeyfile and --cafile need --usetls; %w", errUsage)
		}
		return insecure.NewCredentials(), nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS13}
	if err := c.trust(t); err != nil {
		return nil, err
	}
	if err := c.identify(t); err != nil {
		return nil, err
	}
	return credentials.NewTLS(t), nil
}

// trust says whose certificates the server may have.
func (c *config) trust(t *tls.Config) error {
	if c.caFile == "" {
		return nil
	}
	pem, err := os.ReadFile(c.caFile)
	if err != nil {
		return fmt.Errorf("read CA certificates: %w", err)
	}
	t.RootCAs = x509.NewCertPool()
	if !t.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("read CA certificates: %s holds no PEM certificate", c.caFile)
	}
	return nil
}

// identify adds the client's own certificate, if it has one.
func (c *config) identify(t *tls.Config) error {
	if c.certFile+c.keyFile == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("load certificate %s and its key: %w", c.certFile, err)
	}
	t.Certificates = []tls.Certificate{pair}
	return nil
}
