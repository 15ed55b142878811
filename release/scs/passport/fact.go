package passport

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
)

// fact is an envelope that was filed under a subject, and what it is worth.
type fact struct {
	envelope []byte
	about    evidence.Digest
	// statement is nil for one that does not count; class and why say the reason.
	statement *sign.Statement
	class     Class
	why       string
	// claim is what an envelope that does not count says of itself.
	claim claim
}

// examine verifies what is filed under each subject, each envelope once, on all
// processors. The facts come in the order of the envelopes.
func (x *exam) examine(subjects []evidence.Digest, ev Evidence) map[evidence.Digest][]*fact {
	all := map[evidence.Digest][]*fact{}
	var list []*fact
	for _, about := range subjects {
		if all[about] != nil {
			continue
		}
		facts := []*fact{}
		seen := map[string]bool{}
		for _, e := range ev[about] {
			if !seen[string(e)] {
				facts = append(facts, &fact{envelope: e, about: about})
			}
			seen[string(e)] = true
		}
		all[about], list = facts, append(list, facts...)
	}
	trust := x.rules.everybody()
	atOnce(len(list), func(i int) { list[i].verify(x, trust) })
	return all
}

// atOnce calls do for 0 to n-1 on as many processors as there are.
func atOnce(n int, do func(i int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	workers.Wait()
}

func (f *fact) verify(x *exam, trust sign.Trust) {
	s, err := x.verify(f.envelope, trust, f.about, x.now)
	if err != nil {
		f.class, f.why = classOf(err), err.Error()
	} else {
		f.class, f.why = x.objection(s)
	}
	if f.class != "" {
		f.claim = claimOf(f.envelope)
		return
	}
	f.statement = s
}

// classOf returns the class of an error of sign.Verify. A type of statement that
// is not known here cannot be read either.
func classOf(err error) Class {
	for class, reason := range map[Class]error{
		Untrusted: sign.ErrUntrusted, Revoked: sign.ErrRevoked, OtherSubject: sign.ErrSubject,
		Expired: sign.ErrExpired, NotYetValid: sign.ErrNotYetValid,
	} {
		if errors.Is(err, reason) {
			return class
		}
	}
	return Malformed
}

// objection says why a statement with a good signature does not count here.
func (x *exam) objection(s *sign.Statement) (Class, string) {
	terms := s.Predicate.In()
	switch {
	case terms.System != "" && terms.System != x.rules.System:
		return OtherSystem, fmt.Sprintf("it is about the system %q", terms.System)
	case !x.concerns(s):
		return OtherEnvironment, fmt.Sprintf("it is about the environment %q", terms.Environment)
	case !x.rules.maySay(s):
		return Untrusted, fmt.Sprintf("key %s may not say this", short(s.KeyID))
	}
	return "", ""
}

// concerns reports whether the environment that a statement names, if any, is
// the one that it is needed for. Consents and promotions go with a combination
// through all environments of the system: their gates look for their own.
func (x *exam) concerns(s *sign.Statement) bool {
	named := s.Predicate.In().Environment
	switch s.Predicate.(type) {
	case sign.Consent, sign.Promotion:
		return x.rules.environment(named) != nil
	}
	return named == "" || named == x.env
}

// said is a statement that counts, with its predicate.
type said[P sign.Predicate] struct {
	*sign.Statement
	Says P
}

// held returns the statements of one kind that count, the one that holds longest
// first: which one is shown does not depend on the order of the evidence.
func held[P sign.Predicate](facts []*fact) []said[P] {
	var list []said[P]
	for _, f := range facts {
		if f.statement == nil {
			continue
		}
		if p, ok := f.statement.Predicate.(P); ok {
			list = append(list, said[P]{f.statement, p})
		}
	}
	slices.SortFunc(list, func(a, b said[P]) int { return longer(a.Statement, b.Statement) })
	return list
}

// longer orders statements by when they cease to hold, the last first, then by
// when they were issued, the newest first.
func longer(a, b *sign.Statement) int {
	x, y := a.Predicate.In(), b.Predicate.In()
	if !x.Expires.Equal(y.Expires) {
		if earlier(x.Expires, y.Expires).Equal(x.Expires) {
			return 1
		}
		return -1
	}
	if c := y.Issued.Compare(x.Issued); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(a.Digest, b.Digest), cmp.Compare(a.KeyID, b.KeyID))
}

// earlier returns the earlier of two ends; zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// short is as much of a key's id as people compare.
func short(id string) string { return id[:min(12, len(id))] }
