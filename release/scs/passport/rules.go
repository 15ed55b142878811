package passport

import (
	"slices"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
)

// Rules are what a system asks. They come from its protected branch, never from
// what is being judged.
type Rules struct {
	System string
	// Require are the stages of which every bundle has to have a verdict: "unit".
	Require []string
	// Trust are the keys that releases, verdicts, overrides and promotions are
	// believed from. A key that is no longer believed stays in Keys and is named
	// in Revoked: what it signed is then refused as revoked, and promotions that
	// lie in the past still prove the order of an environment's history.
	Trust sign.Trust
	// Environments are those of the system, in any order.
	Environments []Environment
}

// Environment is what it takes to get into an environment.
type Environment struct {
	Name string
	// After is the environment that the combination was promoted to before;
	// empty for none.
	After string
	// Approve is how many people have to consent. A person is a key of Approvers;
	// what Trust revokes is revoked here as well. Without keys nobody can consent.
	Approve   int
	Approvers sign.Trust
}

// Evidence are the envelopes about each subject: the digest of a bundle or the
// id of a combination. Their order does not matter.
type Evidence map[evidence.Digest][][]byte

// State is the tree of an environment's branch at one commit.
type State struct {
	Commit string
	// Files are all files of the tree by their path: "evidence/stock.jsonl".
	Files map[string][]byte
}

// Seen is what is known of an environment beside its branch: the highest
// sequence that this machine or the registry has met, and the combination that
// it named. The zero value knows nothing.
type Seen struct {
	Sequence int64
	ID       evidence.Digest
}

// environment returns the one with a name, nil when there is none.
func (r Rules) environment(name string) *Environment {
	at := slices.IndexFunc(r.Environments, func(e Environment) bool { return e.Name == name })
	if at < 0 {
		return nil
	}
	return &r.Environments[at]
}

// everybody is the trust with which signatures are verified, each once; whether
// the key may say what it says is decided afterwards (maySay).
func (r Rules) everybody() sign.Trust {
	all := sign.Trust{Keys: slices.Clone(r.Trust.Keys), Revoked: slices.Clone(r.Trust.Revoked)}
	for _, e := range r.Environments {
		all.Revoked = append(all.Revoked, e.Approvers.Revoked...)
		for _, key := range e.Approvers.Keys {
			if !has(all.Keys, key.ID()) {
				all.Keys = append(all.Keys, key)
			}
		}
	}
	return all
}

// maySay reports whether a key may make a statement: a consent is a matter of
// the approvers of its environment, everything else one of the system's trust.
func (r Rules) maySay(s *sign.Statement) bool {
	c, ok := s.Predicate.(sign.Consent)
	if !ok {
		return has(r.Trust.Keys, s.KeyID)
	}
	e := r.environment(c.Environment)
	return e != nil && has(e.Approvers.Keys, s.KeyID)
}

func has(keys []*sign.PublicKey, id string) bool {
	return slices.ContainsFunc(keys, func(k *sign.PublicKey) bool { return k.ID() == id })
}
