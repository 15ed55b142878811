package kindtest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// certificateLife is longer than any lease and short enough to be useless for
// anything but a test.
const certificateLife = 7 * 24 * time.Hour

// TLS creates a Secret of type kubernetes.io/tls with tls.crt, tls.key and
// ca.crt, and returns the certificate of the authority that a client has to
// trust. Both key pairs are fresh; the authority's key is forgotten. Each host
// that is a service's short name is valid in all the forms in which a pod of
// the cluster may write it; localhost and 127.0.0.1 are for port-forwarding.
func (l *Lease) TLS(ctx context.Context, secret string, hosts []string) (ca []byte, err error) {
	return l.tls(ctx, secret, hosts, certificateLife)
}

func (l *Lease) tls(ctx context.Context, secret string, hosts []string, life time.Duration) (ca []byte, err error) {
	pair, err := newCertificates(l.Namespace, hosts, time.Now(), life)
	if err != nil {
		return nil, fmt.Errorf("make certificate %s: %w", secret, err)
	}
	object := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: secret, Namespace: l.Namespace, Labels: map[string]string{ManagedLabel: Manager}},
		Type:       corev1.SecretTypeTLS,
		Data:       map[string][]byte{corev1.TLSCertKey: pair.cert, corev1.TLSPrivateKeyKey: pair.key, corev1.ServiceAccountRootCAKey: pair.ca},
	}
	_, err = l.cluster.client.CoreV1().Secrets(l.Namespace).Create(ctx, object, metav1.CreateOptions{FieldManager: Manager})
	if err != nil {
		return nil, l.cluster.apiError("create secret "+l.Namespace+"/"+secret, err)
	}
	return pair.ca, nil
}

// certificates are PEM blocks.
type certificates struct{ ca, cert, key []byte }

func newCertificates(namespace string, hosts []string, now time.Time, validFor time.Duration) (*certificates, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	// An hour back: the clocks of test machines differ.
	life := x509.Certificate{NotBefore: now.Add(-time.Hour), NotAfter: now.Add(validFor)}
	ca := life
	ca.SerialNumber, ca.Subject = serial(), pkix.Name{CommonName: "pipeline test CA " + namespace}
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	caDER, err := x509.CreateCertificate(rand.Reader, &ca, &ca, caKey.Public(), caKey)
	if err != nil {
		return nil, err
	}
	server := life
	server.SerialNumber, server.KeyUsage = serial(), x509.KeyUsageDigitalSignature
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	server.DNSNames, server.IPAddresses = alternativeNames(namespace, hosts)
	server.Subject.CommonName = server.DNSNames[0]
	der, err := x509.CreateCertificate(rand.Reader, &server, &ca, key.Public(), caKey)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return &certificates{ca: block("CERTIFICATE", caDER), cert: block("CERTIFICATE", der), key: block("PRIVATE KEY", keyDER)}, nil
}

// alternativeNames expands service names as cluster DNS does
// (https://github.com/kubernetes/dns, specification 1.1.0, section 2.3).
func alternativeNames(namespace string, hosts []string) (names []string, ips []net.IP) {
	ips = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			ips = append(ips, ip)
			continue
		}
		names = append(names, host)
		if !bytes.ContainsRune([]byte(host), '.') {
			names = append(names, host+"."+namespace, host+"."+namespace+".svc", host+"."+namespace+".svc.cluster.local")
		}
	}
	names = append(names, "localhost")
	slices.Sort(names[1:]) // the first one is the subject's name
	return slices.Compact(names), ips
}

func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	b[0] &= 0x7f        // RFC 5280, 4.1.2.2: positive
	return new(big.Int).SetBytes(b)
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
