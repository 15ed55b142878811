package sign

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// Why a statement is not accepted; to be compared with errors.Is.
var (
	ErrMalformed   = errors.New("malformed statement")
	ErrUntrusted   = errors.New("no signature by a trusted key")
	ErrRevoked     = errors.New("revoked")
	ErrSubject     = errors.New("statement about another subject")
	ErrType        = errors.New("statement of another type")
	ErrExpired     = errors.New("statement expired")
	ErrNotYetValid = errors.New("statement not yet valid")
)

// Skew is how far ahead the clock of an issuer may be.
const Skew = 5 * time.Minute

// Trust is whom to believe. It is read from a protected branch, never from
// what is being judged.
type Trust struct {
	Keys []*PublicKey
	// Revoked names what is no longer believed: key ids (all that the key ever
	// signed) and digests of statements.
	Revoked []string
}

// Statement is a verified statement.
type Statement struct {
	Subject   Subject
	Predicate Predicate
	// Digest is the SHA-256 of the payload: the identity of the statement,
	// whoever signed it. It is what Trust.Revoked names.
	Digest evidence.Digest
	// KeyID names the key that signed it.
	KeyID string
}

// Verify checks the signature first and reads the statement afterwards. The
// error is one of ErrMalformed, ErrUntrusted, ErrRevoked, ErrType, ErrSubject,
// ErrExpired and ErrNotYetValid, wrapped. A predicate that is not of this
// package has ErrType.
func Verify(envelope []byte, trust Trust, about evidence.Digest, now time.Time) (*Statement, error) {
	payload, sigs, err := openEnvelope(envelope)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	id, err := trust.signer(payload, sigs)
	if err != nil {
		return nil, err
	}
	s, err := decodeStatement(payload)
	if err != nil {
		return nil, err
	}
	s.KeyID = id
	if err := s.holds(trust, about, now); err != nil {
		return nil, err
	}
	return s, nil
}

// Peek returns what an envelope says of itself. Nothing is verified: it is for
// storing envelopes, not for believing them.
func Peek(envelope []byte) (predicateType string, about evidence.Digest, err error) {
	payload, _, err := openEnvelope(envelope)
	if err != nil {
		return "", "", fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	var raw statement[json.RawMessage]
	if err := decodeStrict(payload, &raw); err != nil {
		return "", "", fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(raw.Subject) != 1 {
		return "", "", fmt.Errorf("%w: %d subjects, expected one", ErrMalformed, len(raw.Subject))
	}
	about = evidence.Digest("sha256:" + raw.Subject[0].Digest["sha256"])
	return raw.PredicateType, about, checkDigest(about)
}

// As returns the predicate of a statement, or ErrType when it is another one.
func As[P Predicate](s *Statement) (P, error) {
	p, ok := s.Predicate.(P)
	if !ok {
		return p, fmt.Errorf("%w: %s; expected %s", ErrType, s.Predicate.Type(), p.Type())
	}
	return p, nil
}

// openEnvelope returns the payload and the signatures of an envelope.
func openEnvelope(data []byte) (payload []byte, sigs [][]byte, err error) {
	if len(data) > MaxEnvelope {
		return nil, nil, fmt.Errorf("%d bytes, at most %d", len(data), MaxEnvelope)
	}
	var e envelope
	if err := decodeStrict(data, &e); err != nil {
		return nil, nil, fmt.Errorf("envelope: %w", err)
	}
	if e.PayloadType != PayloadType {
		return nil, nil, fmt.Errorf("payload type %q; expected %q", e.PayloadType, PayloadType)
	}
	if len(e.Signatures) == 0 || len(e.Signatures) > 8 {
		return nil, nil, fmt.Errorf("%d signatures; expected 1 to 8", len(e.Signatures))
	}
	if payload, err = base64.StdEncoding.Strict().DecodeString(e.Payload); err != nil {
		return nil, nil, fmt.Errorf("payload: %w", err)
	}
	for _, s := range e.Signatures {
		sig, err := base64.StdEncoding.Strict().DecodeString(s.Sig)
		if err != nil {
			return nil, nil, fmt.Errorf("signature: %w", err)
		}
		sigs = append(sigs, sig)
	}
	return payload, sigs, nil
}

// signer returns the id of the first trusted key that signed the payload.
func (t Trust) signer(payload []byte, sigs [][]byte) (string, error) {
	sum := sha256.Sum256(pae(PayloadType, payload))
	revoked := ""
	for _, key := range t.Keys {
		for _, sig := range sigs {
			if !ecdsa.VerifyASN1(key.key, sum[:], sig) {
				continue
			}
			if !slices.Contains(t.Revoked, key.id) {
				return key.id, nil
			}
			revoked = key.id
		}
	}
	if revoked != "" {
		return "", fmt.Errorf("%w: key %s", ErrRevoked, revoked)
	}
	return "", fmt.Errorf("%w (%d known)", ErrUntrusted, len(t.Keys))
}

// decodeStatement accepts exactly what encodeStatement writes.
func decodeStatement(payload []byte) (*Statement, error) {
	var raw statement[json.RawMessage]
	if err := decodeStrict(payload, &raw); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	p, err := decodePredicate(raw.PredicateType, raw.Predicate)
	if err != nil {
		return nil, err
	}
	if raw.Type != StatementType || len(raw.Subject) != 1 {
		return nil, fmt.Errorf("%w: expected %s with one subject", ErrMalformed, StatementType)
	}
	about := Subject{Name: raw.Subject[0].Name, Digest: evidence.Digest("sha256:" + raw.Subject[0].Digest["sha256"])}
	if err := errors.Join(checkDigest(about.Digest), p.check()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if again, err := encodeStatement(about, p.normal()); err != nil || !bytes.Equal(again, payload) {
		return nil, fmt.Errorf("%w: not in its one serialisation", ErrMalformed)
	}
	return &Statement{Subject: about, Predicate: p, Digest: evidence.Sum(payload)}, nil
}

func decodePredicate(predicateType string, raw []byte) (Predicate, error) {
	switch predicateType {
	case VerdictType:
		return decode[Verdict](raw)
	case ManualType:
		return decode[Manual](raw)
	case ReviewType:
		return decode[Review](raw)
	case OverrideType:
		return decode[Override](raw)
	case ReleaseType:
		return decode[Release](raw)
	case ConsentType:
		return decode[Consent](raw)
	case PromotionType:
		return decode[Promotion](raw)
	}
	return nil, fmt.Errorf("%w: %q", ErrType, predicateType)
}

func decode[P Predicate](raw []byte) (Predicate, error) {
	var p P
	if err := decodeStrict(raw, &p); err != nil {
		return nil, fmt.Errorf("%w: predicate: %w", ErrMalformed, err)
	}
	return p, nil
}

// holds checks all that does not depend on the form.
func (s *Statement) holds(trust Trust, about evidence.Digest, now time.Time) error {
	terms := s.Predicate.In()
	switch {
	case slices.Contains(trust.Revoked, string(s.Digest)):
		return fmt.Errorf("%w: statement %s", ErrRevoked, s.Digest)
	case s.Subject.Digest != about:
		return fmt.Errorf("%w: %s; expected %s", ErrSubject, s.Subject.Digest, about)
	case !terms.Expires.IsZero() && !now.Before(terms.Expires):
		return fmt.Errorf("%w: at %s", ErrExpired, terms.Expires.Format(time.RFC3339))
	case terms.Issued.After(now.Add(Skew)):
		return fmt.Errorf("%w: issued at %s, it is %s; compare the clocks", ErrNotYetValid,
			terms.Issued.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}
