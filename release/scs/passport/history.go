package passport

import (
	"fmt"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
)

// History is how many older promotions are enough to judge an environment. Fewer
// have to be all of them, back to the first.
const History = 1000

// history judges whether a promotion follows the older ones: each number is that
// of the one below and one more, and each names the combination below.
//
// Time does not matter for what is past, and neither do revocations: otherwise
// revoking a key would close every environment that it had ever moved, for ever.
// That is harmless, because an older promotion proves nothing but what came
// before, and the one on top, by a key that is not revoked, names that itself.
func (x *exam) history(tip sign.Promotion, older [][]byte, seen Seen) {
	past := make([]link, len(older))
	atOnce(len(older), func(i int) { past[i] = x.past(older[i]) })
	above := link{sequence: tip.Sequence, id: x.ID, previous: tip.Previous}
	bad := above.known(seen)
	for i, l := range past {
		if bad.class == "" {
			bad = l.bad
		}
		if bad.class == "" {
			bad = above.follows(l)
		}
		if bad.class == "" {
			bad = l.known(seen.at(l.sequence))
		}
		if bad.class != "" {
			bad.why = fmt.Sprintf("%s (promotion %d below the tip)", bad.why, i+1)
			break
		}
		above = l
	}
	if bad.class == "" && len(older) < History {
		bad = above.isFirst()
	}
	if bad.class != "" {
		x.closed(x.env, RuleHistory, bad, "fetch the whole branch; if it stays like that, somebody moved it by hand: promote again from the newest promotion")
		return
	}
	x.met(Finding{Subject: x.env, Rule: RuleHistory, Why: fmt.Sprintf("follows %d older promotions", len(older))})
}

// link is a promotion in a history.
type link struct {
	sequence     int64
	id, previous evidence.Digest
	bad          miss
}

// past verifies an older promotion, as of the time when it was issued.
func (x *exam) past(envelope []byte) link {
	c := claimOf(envelope)
	if c.Subject == "" {
		return link{bad: miss{Malformed, "an older promotion cannot be read"}}
	}
	s, err := x.verify(envelope, sign.Trust{Keys: x.rules.Trust.Keys}, c.Subject, c.Issued)
	if err != nil {
		return link{bad: miss{classOf(err), "an older promotion: " + err.Error()}}
	}
	p, ok := s.Predicate.(sign.Promotion)
	l := link{sequence: p.Sequence, id: s.Subject.Digest, previous: p.Previous}
	switch {
	case !ok:
		l.bad = miss{Malformed, "an older promotion is none, but " + s.Predicate.Type()}
	case !isCanonical(envelope):
		l.bad = miss{Malformed, "an older promotion is not written as it has to be"}
	case p.System != x.rules.System:
		l.bad = miss{OtherSystem, fmt.Sprintf("an older promotion is one of the system %q", p.System)}
	case p.Environment != x.env:
		l.bad = miss{OtherEnvironment, fmt.Sprintf("an older promotion is one to %q", p.Environment)}
	case p.Issued.After(x.now.Add(sign.Skew)):
		l.bad = miss{NotYetValid, "an older promotion was issued at " + p.Issued.Format(time.RFC3339)}
	}
	return l
}

// follows says what is wrong with l on top of an older one.
func (l link) follows(older link) miss {
	switch {
	case l.sequence <= older.sequence:
		return miss{Replayed, fmt.Sprintf("number %d lies on top of number %d", l.sequence, older.sequence)}
	case l.sequence != older.sequence+1:
		return miss{Inconsistent, fmt.Sprintf("number %d lies on top of number %d, and those between are missing", l.sequence, older.sequence)}
	case l.previous != older.id:
		return miss{Inconsistent, fmt.Sprintf("number %d was made on top of %s, and below lies %s", l.sequence, l.previous.Short(), older.id.Short())}
	}
	return miss{}
}

// isFirst says what is wrong with l as the first promotion.
func (l link) isFirst() miss {
	if l.sequence != 1 || l.previous != "" {
		return miss{Inconsistent, fmt.Sprintf("the promotions before number %d are missing", l.sequence)}
	}
	return miss{}
}

// known says what is wrong with l, given what was seen before.
func (l link) known(seen Seen) miss {
	switch {
	case l.sequence < seen.Sequence:
		return miss{Replayed, fmt.Sprintf("it is number %d, and number %d was here already", l.sequence, seen.Sequence)}
	case l.sequence == seen.Sequence && seen.ID != "" && l.id != seen.ID:
		return miss{Replayed, fmt.Sprintf("number %d was %s before, and is %s now", l.sequence, seen.ID.Short(), l.id.Short())}
	}
	return miss{}
}

// at returns what was seen of a number: nothing, unless it was the highest.
func (s Seen) at(sequence int64) Seen {
	if s.Sequence == sequence {
		return s
	}
	return Seen{}
}
