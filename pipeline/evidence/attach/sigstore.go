package attach

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
)

// The types and annotations by which cosign knows a Sigstore bundle in a
// registry (cosign's specs/BUNDLE_SPEC.md; sigstore/protobuf-specs
// sigstore_bundle.proto).
const (
	bundleType   = "application/vnd.dev.sigstore.bundle.v0.3+json"
	bundlePrefix = "application/vnd.dev.sigstore.bundle"
	emptyType    = "application/vnd.oci.empty.v1+json"

	contentAnnotation   = "dev.sigstore.bundle.content"
	predicateAnnotation = "dev.sigstore.bundle.predicateType"
)

// maxBundle bounds the JSON of a bundle: an envelope and a certificate or a
// transparency log's entry that others may add.
const maxBundle = sign.MaxEnvelope + 64<<10

// sigstoreBundle is the part of the bundle that matters here. The verification
// material is a public key without hint: the verifier has to know the key.
type sigstoreBundle struct {
	MediaType            string `json:"mediaType"`
	VerificationMaterial struct {
		PublicKey struct{} `json:"publicKey"`
	} `json:"verificationMaterial"`
	DSSEEnvelope json.RawMessage `json:"dsseEnvelope"`
}

func wrap(envelope []byte) ([]byte, error) {
	b := sigstoreBundle{MediaType: bundleType, DSSEEnvelope: envelope}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(b); err != nil {
		return nil, fmt.Errorf("write a Sigstore bundle: %w", err)
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

func unwrap(bundle []byte) ([]byte, error) {
	var b struct {
		DSSEEnvelope json.RawMessage `json:"dsseEnvelope"`
	}
	if err := json.Unmarshal(bundle, &b); err != nil {
		return nil, fmt.Errorf("read a Sigstore bundle: %w", err)
	}
	if len(b.DSSEEnvelope) == 0 {
		return nil, errors.New("the Sigstore bundle has no DSSE envelope")
	}
	return b.DSSEEnvelope, nil
}
