// Package tlsfiles reads PEM files into TLS settings: those of the server, of
// the connection to a neighbour, and of the demo client. TLS 1.3 is the least
// version everywhere.
package tlsfiles

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// Server reads a server's certificate chain and private key. With caFile,
// unless empty, a client's certificate is verified against the certificates in
// it, if the client shows one; clients without certificate are let in, browsers
// and the kubelet's probes among them.
func Server(certFile, keyFile, caFile string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS13}
	if err := identify(config, certFile, keyFile); err != nil {
		return nil, err
	}
	if caFile == "" {
		return config, nil
	}
	pool, err := readCAs(caFile)
	if err != nil {
		return nil, err
	}
	config.ClientCAs, config.ClientAuth = pool, tls.VerifyClientCertIfGiven
	return config, nil
}

// Client returns settings that verify a server against the certificates in
// caFile; empty: those of the machine. The client shows its own certificate if
// certFile and keyFile are not empty.
func Client(certFile, keyFile, caFile string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS13}
	if certFile+keyFile != "" {
		if err := identify(config, certFile, keyFile); err != nil {
			return nil, err
		}
	}
	if caFile == "" {
		return config, nil
	}
	pool, err := readCAs(caFile)
	config.RootCAs = pool
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

// readCAs reads a file with at least one certificate.
func readCAs(file string) (*x509.CertPool, error) {
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
