// Package certtest makes throw-away certificates for tests. Each has a new key,
// lives for an hour and is written to a folder that the test removes.
package certtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Files are the paths of PEM files.
type Files struct {
	Cert, Key, CA string
}

// New writes a certificate for 127.0.0.1 and the name "web", usable by
// servers and clients, its key, and the CA that signed it.
func New(t testing.TB) Files {
	t.Helper()
	dir := t.TempDir()
	ca, caKey := template("test CA"), newKey(t)
	ca.IsCA, ca.KeyUsage = true, x509.KeyUsageCertSign
	leaf, leafKey := template("web"), newKey(t)
	leaf.DNSNames, leaf.IPAddresses = []string{"web"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	key, err := x509.MarshalPKCS8PrivateKey(leafKey)
	check(t, err)
	return Files{
		Cert: write(t, dir, "tls.crt", "CERTIFICATE", sign(t, leaf, ca, leafKey, caKey)),
		Key:  write(t, dir, "tls.key", "PRIVATE KEY", key),
		CA:   write(t, dir, "ca.crt", "CERTIFICATE", sign(t, ca, ca, caKey, caKey)),
	}
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(time.Hour),
		BasicConstraintsValid: true,
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	return key
}

func sign(t testing.TB, cert, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, key.Public(), parentKey)
	check(t, err)
	return der
}

func write(t testing.TB, dir, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	check(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return path
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
