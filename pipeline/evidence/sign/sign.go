// Package sign makes and checks signed statements about a bundle.
//
// A statement is an in-toto Statement v1 with one subject, the digest of a
// bundle, in a DSSE envelope with one ECDSA P-256 signature: what
// `cosign verify-attestation --key` verifies. The predicates are ours: the
// verdict of a stage, a manual checklist, a review, an override, a release.
// Each has exactly one serialisation, and Verify accepts only that one, so that
// two readers cannot read two things into the same bytes. Signatures are
// deterministic (RFC 6979): who signs the same statement again gets the same
// envelope, and attaching it again changes nothing.
//
// A statement holds from when it was issued until it expires, and as long as
// neither its key nor its digest is revoked. The list of revocations is part of
// the trust, beside the public keys on a protected branch, and not of the
// evidence: what takes rights away must not lie where an attacker can hide it.
package sign

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// PayloadType is the DSSE payload type of an in-toto statement
// (in-toto attestation framework, spec/v1/envelope.md).
const PayloadType = "application/vnd.in-toto+json"

// StatementType is the _type of an in-toto Statement v1
// (in-toto attestation framework, spec/v1/statement.md).
const StatementType = "https://in-toto.io/Statement/v1"

// MaxEnvelope is the size in bytes above which an envelope is malformed.
const MaxEnvelope = 1 << 20

// Subject is what a statement is about: a bundle in a registry.
type Subject struct {
	// Name is for people: the reference that the bundle is known by.
	Name   string
	Digest evidence.Digest
}

// envelope is the JSON form of DSSE (dsse/envelope.md). The key id is empty:
// it is a hint that verifiers derive in different ways, and cosign skips a
// signature whose hint it does not know.
type envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     string      `json:"payload"`
	Signatures  []signature `json:"signatures"`
}

type signature struct {
	KeyID string `json:"keyid,omitempty"`
	Sig   string `json:"sig"`
}

// statement is the JSON form of an in-toto Statement v1.
type statement[P any] struct {
	Type          string    `json:"_type"`
	Subject       []subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     P         `json:"predicate"`
}

type subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// Sign returns the DSSE envelope of a statement as JSON. Times are written in
// UTC, to the second. An incomplete predicate is an error.
func (s *Signer) Sign(about Subject, p Predicate) ([]byte, error) {
	if err := checkDigest(about.Digest); err != nil {
		return nil, fmt.Errorf("sign %s: subject: %w", p.Type(), err)
	}
	p = p.normal()
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("sign %s: %w", p.Type(), err)
	}
	payload, err := encodeStatement(about, p)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", p.Type(), err)
	}
	if _, err := decodeStatement(payload); err != nil {
		return nil, fmt.Errorf("sign %s: nobody could verify it: %w", p.Type(), err)
	}
	sum := sha256.Sum256(pae(PayloadType, payload))
	// Without a source of randomness the signature is that of RFC 6979.
	sig, err := s.key.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", p.Type(), err)
	}
	data, err := marshal(envelope{
		PayloadType: PayloadType,
		Payload:     base64.StdEncoding.EncodeToString(payload),
		Signatures:  []signature{{Sig: base64.StdEncoding.EncodeToString(sig)}},
	})
	if err == nil && len(data) > MaxEnvelope {
		err = fmt.Errorf("%d bytes, at most %d", len(data), MaxEnvelope)
	}
	return data, err
}

func encodeStatement(about Subject, p Predicate) ([]byte, error) {
	return marshal(statement[Predicate]{
		Type:          StatementType,
		Subject:       []subject{{Name: about.Name, Digest: map[string]string{"sha256": about.Digest.Hex()}}},
		PredicateType: p.Type(),
		Predicate:     p,
	})
}

// pae is what is signed: the pre-authentication encoding (dsse/protocol.md,
// "Signature definition").
func pae(payloadType string, payload []byte) []byte {
	b := []byte("DSSEv1 " + strconv.Itoa(len(payloadType)) + " " + payloadType + " " + strconv.Itoa(len(payload)) + " ")
	return append(b, payload...)
}

// marshal writes compact JSON with sorted maps, and <, > and & as themselves.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
