package kindtest

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"
)

func TestCertificates(t *testing.T) {
	pair, err := newCertificates("ns1", []string{"web", "db.example.com", "10.0.0.1"}, time.Now(), certificateLife)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.X509KeyPair(pair.cert, pair.key); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pair.ca) {
		t.Fatal("no certificate of the authority")
	}
	key, _ := tls.X509KeyPair(pair.cert, pair.key)
	for _, host := range []string{"web", "web.ns1", "web.ns1.svc", "web.ns1.svc.cluster.local", "db.example.com", "10.0.0.1", "localhost", "127.0.0.1", "::1"} {
		if _, err := key.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, host := range []string{"web.ns2", "db.example.com.ns1", "other"} {
		if _, err := key.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); err == nil {
			t.Errorf("%s is accepted", host)
		}
	}
}
