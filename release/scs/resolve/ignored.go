package resolve

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
)

// ignored is a statement that does not count.
type ignored struct {
	manifest evidence.Digest
	err      error
	claim    claim // what it says of itself, which nobody vouches for
}

// claim is what a statement says, believed or not: it only helps to say why
// something is missing.
type claim struct {
	PredicateType string `json:"predicateType"`
	Predicate     struct {
		Stage string `json:"stage"`
	} `json:"predicate"`
}

// claimOf reads as much as there is.
func claimOf(envelope []byte) claim {
	var e struct {
		Payload string `json:"payload"`
	}
	var c claim
	if json.Unmarshal(envelope, &e) == nil {
		if payload, err := base64.StdEncoding.DecodeString(e.Payload); err == nil {
			_ = json.Unmarshal(payload, &c) // what does not fit stays empty
		}
	}
	return c
}

func (c claim) isRelease() bool { return c.PredicateType == sign.ReleaseType }

func (c claim) isVerdict(stage string) bool {
	return c.PredicateType == sign.VerdictType && c.Predicate.Stage == stage
}

// reason returns why the best of those statements does not count that would say
// what is missing: the one that is nearest to counting.
func (x *examination) reason(wanted func(claim) bool) (Reason, string) {
	order := []struct {
		err    error
		reason Reason
	}{
		{sign.ErrExpired, Expired}, {sign.ErrNotYetValid, NotYetValid}, {sign.ErrRevoked, Revoked}, {errNotOurs, NotOurs},
		{sign.ErrUntrusted, UnknownKey}, {sign.ErrSubject, NotOurs}, {sign.ErrMalformed, Unreadable}, {sign.ErrType, Unreadable},
	}
	for _, o := range order {
		at := slices.IndexFunc(x.ignored, func(i ignored) bool { return errors.Is(i.err, o.err) && wanted(i.claim) })
		if at >= 0 {
			return o.reason, x.ignored[at].err.Error()
		}
	}
	return notLookedFor, ""
}

// unreadable mentions the statements that tell nothing of themselves.
func (x *examination) unreadable() string {
	var first error
	n := 0
	for _, i := range x.ignored {
		if i.claim.PredicateType == "" {
			if n++; first == nil {
				first = i.err
			}
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d statements could not be read; the first: %v)", n, first)
}
