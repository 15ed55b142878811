package passport

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

// exam fills in one passport.
type exam struct {
	rules  Rules
	env    string // that statements are needed for; empty for none
	now    time.Time
	verify verify
	*Passport
}

// verify is sign.Verify.
type verify func(envelope []byte, trust sign.Trust, about evidence.Digest, now time.Time) (*sign.Statement, error)

func begin(rules Rules, env string, now time.Time) *exam {
	return &exam{rules, env, now, sign.Verify, &Passport{
		System: rules.System, Environment: env, Members: []scs.Member{}, Findings: []Finding{}, Evidence: Evidence{},
	}}
}

// done closes the passport.
func (x *exam) done() *Passport {
	for _, f := range x.Findings {
		x.Until = earlier(x.Until, f.Until)
	}
	return x.Passport
}

// met adds a gate that is open.
func (x *exam) met(f Finding) {
	if f.Status == "" {
		f.Status = Met
	}
	x.Findings = append(x.Findings, f)
}

// notMet adds a gate that is closed, with its refusal.
func (x *exam) notMet(r Refusal) {
	x.Findings = append(x.Findings, Finding{Subject: r.Subject, Rule: r.Rule, Status: NotMet, Why: r.Why})
	x.refuse(r)
}

// miss is a statement that nearly met a gate.
type miss struct {
	class Class
	why   string
}

// nearness orders classes by how little is missing to what they stand for. The
// signatures of the first ones were made by a known key; what the last ones say
// can be written by anybody. A verdict that counts and opens nothing ("untested")
// says more than an envelope that cannot be read.
func nearness(c Class) int {
	order := []Class{Expired, NotYetValid, Revoked, Inconsistent, OtherEnvironment, OtherSystem, Untrusted, OtherSubject, Untested, Malformed}
	if at := slices.Index(order, c); at >= 0 {
		return at
	}
	return len(order)
}

// misses are the statements that do not count and that would have met a gate if
// they did. Envelopes of which nothing can be read may be such as well.
func misses(facts []*fact, would func(claim) bool) []miss {
	var list []miss
	unreadable := 0
	for _, f := range facts {
		switch {
		case f.class == "":
		case f.class == Malformed && f.claim.Type == "":
			unreadable++
		case would(f.claim):
			list = append(list, miss{f.class, f.why})
		}
	}
	if unreadable > 0 {
		list = append(list, miss{Malformed, fmt.Sprintf("nothing says so, and %d of the envelopes about it cannot be read", unreadable)})
	}
	return list
}

// nearest returns the miss that explains a closed gate best; otherwise is for
// none at all.
func nearest(list []miss, otherwise miss) miss {
	if len(list) == 0 {
		return otherwise
	}
	return slices.MinFunc(list, func(a, b miss) int {
		return cmp.Or(cmp.Compare(nearness(a.class), nearness(b.class)), cmp.Compare(a.why, b.why))
	})
}

// closed adds a closed gate; otherwise says what to do where the class of the
// miss does not.
func (x *exam) closed(subject, rule string, m miss, otherwise string) {
	x.notMet(Refusal{Class: m.class, Subject: subject, Rule: rule, Why: m.why, Remedy: remedy(m.class, otherwise)})
}

func remedy(c Class, otherwise string) string {
	switch c {
	case Untrusted:
		return "if you believe the key, add it under trust (or approvers) on the protected branch; otherwise " + otherwise
	case NotYetValid:
		return "compare the clocks of this machine and of the one that signed"
	case Malformed:
		return "fetch it again; if it stays like that, " + otherwise
	}
	return otherwise
}

// account lists what does not count, and keeps what does.
func (x *exam) account(subject string, facts []*fact) {
	for _, f := range facts {
		if f.class == "" {
			x.keep(f)
			continue
		}
		x.Ignored = append(x.Ignored, Ignored{
			Subject: subject, Class: f.class, Why: f.why, Says: f.claim.String(), Envelope: evidence.Sum(f.envelope),
		})
	}
	slices.SortStableFunc(x.Ignored, func(a, b Ignored) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Class, b.Class), cmp.Compare(a.Says, b.Says), cmp.Compare(a.Envelope, b.Envelope))
	})
}
