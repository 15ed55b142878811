package sign

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func pemOf(t testing.TB, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func TestKeys(t *testing.T) {
	t.Parallel()
	private, public, err := New([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(private), "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n") {
		t.Errorf("private key:\n%s", private)
	}
	file := filepath.Join(t.TempDir(), "cosign.key")
	if err := os.WriteFile(file, private, 0o600); err != nil {
		t.Fatal(err)
	}
	pub, err := ReadPublic(string(public))
	if err != nil {
		t.Fatal(err)
	}
	env := func(key, password string) func(string) string {
		return func(name string) string { return map[string]string{KeyVariable: key, PasswordVariable: password}[name] }
	}
	s, err := FromEnvironment(env(file, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Public().ID() != pub.ID() {
		t.Errorf("key %s, public key %s", s, pub.ID())
	}
	want := strings.Repeat(pub.ID()+" ", 4)
	if text := fmt.Sprintf("%v %+v %#v %s ", s, s, s, s); text != want {
		t.Errorf("the key prints as %q", text)
	}
	if _, err := FromEnvironment(env("", "")); !errors.Is(err, ErrNoKey) {
		t.Errorf("no key: %v", err)
	}
	if _, err := FromEnvironment(env(file, "wrong")); err == nil || !strings.Contains(err.Error(), PasswordVariable) {
		t.Errorf("wrong password: %v", err)
	}
}

func TestPlainKeys(t *testing.T) {
	t.Parallel()
	key := aKey(t)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key.key)
	plain := pemOf(t, "PRIVATE KEY", pkcs8, err)
	sec1, err := x509.MarshalECPrivateKey(key.key)
	for _, text := range []string{plain, pemOf(t, "EC PRIVATE KEY", sec1, err)} {
		s, err := ReadPrivate(text, nil)
		if err != nil || s.String() != key.String() {
			t.Errorf("%v; %v", s, err)
		}
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	large, err := x509.MarshalECPrivateKey(p384)
	for name, text := range map[string]string{
		"P-384":  pemOf(t, "EC PRIVATE KEY", large, err),
		"public": string(key.Public().PEM()), "two": plain + plain, "none": filepath.Join(t.TempDir(), "none"), "folder": t.TempDir(),
		"cut": "-----BEGIN PRIVATE KEY-----\nAAAA", "wrong": pemOf(t, "PRIVATE KEY", []byte("x"), nil),
	} {
		if s, err := ReadPrivate(text, nil); err == nil {
			t.Errorf("%s: %v is a private key", name, s)
		}
		if k, err := ReadPublic(text); err == nil && name != "public" {
			t.Errorf("%s: %v is a public key", name, k)
		}
	}
}
