// Package signtest gives tests keys that cost no time: those with a password
// are derived with scrypt, which takes longer than what is tested.
package signtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
)

// PEM returns a new private key without a password.
func PEM(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// Signer returns a signer with a new key.
func Signer(t testing.TB) *sign.Signer {
	t.Helper()
	s, err := sign.ReadPrivate(PEM(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
