package sign

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
)

// The environment variables that FromEnvironment reads.
const (
	KeyVariable      = "PIPELINE_SIGNING_KEY"      // path or PEM
	PasswordVariable = "PIPELINE_SIGNING_PASSWORD" // of an encrypted key
)

// The PEM types of encrypted keys: of cosign since 2.0, and before.
const (
	pemEncrypted    = "ENCRYPTED SIGSTORE PRIVATE KEY"
	pemEncryptedOld = "ENCRYPTED COSIGN PRIVATE KEY"
)

// maxKeyFile bounds what is read from a key file, in bytes.
const maxKeyFile = 64 << 10

// ErrNoKey says that no signing key is configured.
var ErrNoKey = errors.New("no signing key")

// Signer holds a private key. It prints as its key id.
type Signer struct{ key *ecdsa.PrivateKey }

// PublicKey verifies statements.
type PublicKey struct {
	key *ecdsa.PublicKey
	id  string
}

// New makes a key pair as `cosign generate-key-pair` does: the private key is
// PKCS #8 encrypted with scrypt and NaCl's secretbox, the public one PKIX. An
// empty password is one like any other.
func New(password []byte) (private, public []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	box, err := encrypted.Encrypt(der, password)
	if err != nil {
		return nil, nil, fmt.Errorf("encrypt the key: %w", err)
	}
	s := &Signer{key}
	return pem.EncodeToMemory(&pem.Block{Type: pemEncrypted, Bytes: box}), s.Public().PEM(), nil
}

// FromEnvironment reads the signing key that the environment names. It returns
// ErrNoKey when it names none.
func FromEnvironment(getenv func(string) string) (*Signer, error) {
	key := getenv(KeyVariable)
	if key == "" {
		return nil, fmt.Errorf("%w: set %s to a key of `pipeline keys new` (a path or the PEM itself)", ErrNoKey, KeyVariable)
	}
	s, err := ReadPrivate(key, []byte(getenv(PasswordVariable)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", KeyVariable, err)
	}
	return s, nil
}

// ReadPrivate reads a private key from a file or from the PEM text itself:
// cosign's encrypted form, PKCS #8 or SEC 1. Only ECDSA P-256 is accepted. No
// error contains any of the key.
func ReadPrivate(pathOrPEM string, password []byte) (*Signer, error) {
	block, where, err := readPEM(pathOrPEM)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	der := block.Bytes
	switch block.Type {
	case pemEncrypted, pemEncryptedOld:
		if der, err = encrypted.Decrypt(der, password); err != nil {
			return nil, fmt.Errorf("private key %s cannot be decrypted; is %s right?: %w", where, PasswordVariable, err)
		}
	case "PRIVATE KEY":
	case "EC PRIVATE KEY":
		key, err := x509.ParseECPrivateKey(der)
		if err != nil {
			return nil, fmt.Errorf("private key %s: %w", where, err)
		}
		return newSigner(key, where)
	default:
		return nil, fmt.Errorf("private key %s: PEM type %q; expected %q, PRIVATE KEY or EC PRIVATE KEY", where, block.Type, pemEncrypted)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("private key %s: %w", where, err)
	}
	return newSigner(key, where)
}

func newSigner(key any, where string) (*Signer, error) {
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok || ec.Curve != elliptic.P256() {
		return nil, fmt.Errorf("private key %s is not ECDSA P-256; make one with `pipeline keys new`", where)
	}
	return &Signer{ec}, nil
}

// ReadPublic reads a public key in PKIX form from a file or from the PEM text
// itself. Only ECDSA P-256 is accepted.
func ReadPublic(pathOrPEM string) (*PublicKey, error) {
	block, where, err := readPEM(pathOrPEM)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	if block.Type != "PUBLIC KEY" {
		return nil, fmt.Errorf("public key %s: PEM type %q; expected PUBLIC KEY", where, block.Type)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("public key %s: %w", where, err)
	}
	ec, ok := key.(*ecdsa.PublicKey)
	if !ok || ec.Curve != elliptic.P256() {
		return nil, fmt.Errorf("public key %s is not ECDSA P-256", where)
	}
	return newPublic(ec), nil
}

// readPEM returns the only block of a file or a text, and how to name it.
func readPEM(pathOrPEM string) (*pem.Block, string, error) {
	data, where := []byte(pathOrPEM), "in the text"
	if !strings.Contains(pathOrPEM, "-----BEGIN ") {
		where = pathOrPEM
		info, err := os.Stat(pathOrPEM)
		if err != nil {
			return nil, where, err
		}
		if !info.Mode().IsRegular() || info.Size() > maxKeyFile {
			return nil, where, fmt.Errorf("%s is not a key file", where)
		}
		if data, err = os.ReadFile(pathOrPEM); err != nil {
			return nil, where, err
		}
	}
	block, rest := pem.Decode(data)
	if block == nil {
		return nil, where, fmt.Errorf("%s: no PEM block", where)
	}
	if len(strings.TrimSpace(string(rest))) > 0 {
		return nil, where, fmt.Errorf("%s: more than one PEM block", where)
	}
	return block, where, nil
}

// Public returns the key that verifies what s signs.
func (s *Signer) Public() *PublicKey { return newPublic(&s.key.PublicKey) }

// String returns the key id.
func (s *Signer) String() string { return s.Public().ID() }

// GoString returns the key id.
func (s *Signer) GoString() string { return s.String() }

func newPublic(key *ecdsa.PublicKey) *PublicKey {
	k := &PublicKey{key: key}
	sum := sha256.Sum256(k.der())
	k.id = hex.EncodeToString(sum[:])
	return k
}

func (k *PublicKey) der() []byte {
	der, err := x509.MarshalPKIXPublicKey(k.key)
	if err != nil {
		panic(err) // a point on P-256
	}
	return der
}

// ID is the SHA-256 of the key's PKIX form in hex digits.
func (k *PublicKey) ID() string { return k.id }

// PEM returns the key as a PUBLIC KEY block.
func (k *PublicKey) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.der()})
}
