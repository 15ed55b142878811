package server

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// LoadTLS reads the server's certificate chain and private key, both PEM. With
// caFile, unless empty, a client's certificate is verified against the
// certificates in it, if the client shows one; clients without certificate are
// let in, health probes among them. TLS 1.3 is the least version.
func LoadTLS(certFile, keyFile, caFile string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("load certificate %s and its key: %w", certFile, err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}
	if caFile == "" {
		return config, nil
	}
	if config.ClientCAs, err = LoadCAs(caFile); err != nil {
		return nil, err
	}
	config.ClientAuth = tls.VerifyClientCertIfGiven
	return config, nil
}

// LoadCAs reads a PEM file with at least one certificate.
func LoadCAs(file string) (*x509.CertPool, error) {
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
