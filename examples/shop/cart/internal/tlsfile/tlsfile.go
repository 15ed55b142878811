// Package tlsfile makes TLS configurations of PEM files. TLS 1.3 is the least
// version everywhere: all parties are ours.
package tlsfile

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// Server returns the configuration of a server with a certificate chain and its
// private key. With caFile, unless empty, a client's certificate is verified
// against the certificates in it, if the client shows one; clients without
// certificate are let in, health probes among them.
func Server(certFile, keyFile, caFile string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS13}
	if err := identify(config, certFile, keyFile); err != nil {
		return nil, err
	}
	if caFile == "" {
		return config, nil
	}
	pool, err := pool(caFile)
	if err != nil {
		return nil, err
	}
	config.ClientCAs, config.ClientAuth = pool, tls.VerifyClientCertIfGiven
	return config, nil
}

// Client returns the configuration of a client that verifies servers against
// the certificates in caFile, or the machine's if caFile is empty, and shows
// the certificate in certFile, unless both other names are empty.
func Client(caFile, certFile, keyFile string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS13}
	if certFile+keyFile != "" {
		if err := identify(config, certFile, keyFile); err != nil {
			return nil, err
		}
	}
	if caFile == "" {
		return config, nil
	}
	var err error
	config.RootCAs, err = pool(caFile)
	return config, err
}

func identify(config *tls.Config, certFile, keyFile string) error {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return fmt.Errorf("load certificate %s and its key: %w", certFile, err)
	}
	config.Certificates = []tls.Certificate{pair}
	return nil
}

// pool reads a PEM file with at least one certificate.
func pool(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read CA certificates: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read CA certificates: %s holds no PEM certificate", file)
	}
	return pool, nil
}
