package kindtest

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// spaceCertificateLife is for how long a certificate of a space is valid: such a
// one is for development, where nobody looks for a year.
const spaceCertificateLife = 365 * 24 * time.Hour

// HasSecret reports whether a secret is there. One with a certificate that TLS
// made and that has expired is not.
func (s *Space) HasSecret(ctx context.Context, name string) (bool, error) {
	secret, err := s.secret(ctx, name)
	return secret != nil && !expired(secret, time.Now()), err
}

func (s *Space) secret(ctx context.Context, name string) (*corev1.Secret, error) {
	secret, err := s.lease.cluster.client.CoreV1().Secrets(s.Namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, s.lease.cluster.apiError("look at secret "+s.Namespace+"/"+name, err)
	}
	return secret, nil
}

// expired reports whether a secret is one of TLS and is not valid any more.
func expired(secret *corev1.Secret, now time.Time) bool {
	if secret.Labels[ManagedLabel] != Manager {
		return false
	}
	block, _ := pem.Decode(secret.Data[corev1.TLSCertKey])
	if block == nil {
		return false
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	return err == nil && now.After(cert.NotAfter)
}

// TLS makes a secret like Lease.TLS, for development: its authority is known to
// nobody. One that is there stays as it is; one that TLS made and that has
// expired is replaced.
func (s *Space) TLS(ctx context.Context, name string, hosts []string) error {
	secret, err := s.secret(ctx, name)
	if err != nil || secret != nil && !expired(secret, time.Now()) {
		return err
	}
	if secret != nil {
		err := s.lease.cluster.client.CoreV1().Secrets(s.Namespace).Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &secret.UID}})
		if notFoundIsFine(err) != nil {
			return s.lease.cluster.apiError("replace the expired secret "+s.Namespace+"/"+name, err)
		}
	}
	_, err = s.lease.tls(ctx, name, hosts, spaceCertificateLife)
	return err
}
