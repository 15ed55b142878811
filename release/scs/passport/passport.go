package passport

import (
	"encoding/json"
	"slices"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release/policy"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

// Class says what kind of thing is wrong.
type Class string

// The classes of refusals, and of statements that do not count.
const (
	Malformed        Class = "malformed"         // it cannot be read, or is not written as it has to be
	Untrusted        Class = "untrusted"         // not signed by a key that may say this
	Revoked          Class = "revoked"           // the key or the statement is not believed any more
	Expired          Class = "expired"           // it held once
	NotYetValid      Class = "not yet valid"     // it was issued in the future
	OtherSubject     Class = "other subject"     // it is about another bundle or combination
	OtherSystem      Class = "other system"      // it is about another system
	OtherEnvironment Class = "other environment" // it is about another environment
	Untested         Class = "untested"          // there is no statement that says so
	Inconsistent     Class = "inconsistent"      // the parts do not fit together
	Replayed         Class = "replayed"          // it was here before, and something newer since
	Order            Class = "order"             // another environment comes first
	Consent          Class = "consent"           // people have to consent
)

// The rules of a passport that are not stages; the rule of a stage is
// policy.StageRule.
const (
	RuleRelease   = "release"   // the bundle was released in this version
	RuleSuite     = "suite"     // the acceptance tests passed on the combination
	RuleOrder     = "order"     // the combination was in the environment before
	RuleConsent   = "consent"   // as many people as asked consent
	RulePromotion = "promotion" // the environment was moved here by a trusted key
	RuleHistory   = "history"   // the promotion follows those before it
	RuleFiles     = "files"     // the files of an environment, or the lock
	RuleRules     = "rules"     // what the system asks
)

// The statuses of a finding; only NotMet refuses.
const (
	Met        = string(policy.Met)
	NotMet     = string(policy.NotMet)
	Overridden = string(policy.Overridden)
	Waived     = string(policy.Waived)
)

// Finding is a gate and what became of it.
type Finding struct {
	// Subject is what the gate is about, for people: "stock 0.1.1", "shop".
	Subject string `json:"subject"`
	Rule    string `json:"rule"`
	Status  string `json:"status"`
	Why     string `json:"why"`
	// By is the person or job that the statement names, Key the id of the key
	// that signed it.
	By  string `json:"by,omitempty"`
	Key string `json:"key,omitempty"`
	// At is when the statement was issued, Until when it ceases to hold; zero is
	// never.
	At    time.Time `json:"at,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Statement is the identity of the statement that meets the gate.
	Statement evidence.Digest `json:"statement,omitempty"`
}

// Refusal is a reason why the passport is not valid.
type Refusal struct {
	Class   Class  `json:"class"`
	Subject string `json:"subject"`
	Rule    string `json:"rule"`
	Why     string `json:"why"`
	Remedy  string `json:"remedy"`
}

// Exception is something that did not hold and was let pass.
type Exception struct {
	Subject string `json:"subject"`
	Rule    string `json:"rule"`
	// Status is Waived or Overridden.
	Status string `json:"status"`
	// Release says that the release let it pass: the gates of the system that are
	// listed under Findings may hold in spite of that.
	Release bool      `json:"release,omitempty"`
	Reason  string    `json:"reason"`
	By      string    `json:"by,omitempty"`
	Until   time.Time `json:"until,omitzero"`
}

// Ignored is a statement that does not count.
type Ignored struct {
	Subject string `json:"subject"`
	Class   Class  `json:"class"`
	Why     string `json:"why"`
	// Says is what it would have said, as far as it can be read. It is not
	// verified.
	Says string `json:"says,omitempty"`
	// Envelope is the digest of the envelope.
	Envelope evidence.Digest `json:"envelope"`
}

// Passport is the answer.
type Passport struct {
	System      string `json:"system"`
	Version     string `json:"version,omitempty"`     // of the system or the bundle; empty when nobody says
	Environment string `json:"environment,omitempty"` // that it is about, if any
	// ID is that of the combination, or the digest of the bundle.
	ID evidence.Digest `json:"id,omitempty"`
	// Sequence counts the promotions of the environment, Commit is the one of its
	// branch.
	Sequence int64  `json:"sequence,omitempty"`
	Commit   string `json:"commit,omitempty"`
	// Until is when the first of the statements under Findings ceases to hold;
	// zero is never.
	Until   time.Time    `json:"until,omitzero"`
	Members []scs.Member `json:"members"`
	// Findings are the gates: member by member in the order of the rules, then
	// those of the system. Each one that is not met has a refusal.
	Findings   []Finding   `json:"findings"`
	Exceptions []Exception `json:"exceptions,omitempty"`
	Ignored    []Ignored   `json:"ignored,omitempty"`
	Refusals   []Refusal   `json:"refusals,omitempty"`
	// Evidence are the envelopes that hold here, each once: what a promotion keeps
	// (see Files). Nothing of it is ignored above.
	Evidence Evidence `json:"-"`
}

// Valid reports whether nothing refuses.
func (p *Passport) Valid() bool { return len(p.Refusals) == 0 && len(p.Findings) > 0 }

// MarshalJSON writes the passport with "valid" as its first field.
func (p Passport) MarshalJSON() ([]byte, error) {
	type fields Passport
	return json.Marshal(struct {
		Valid bool `json:"valid"`
		fields
	}{p.Valid(), fields(p)})
}

// refuse adds a refusal.
func (p *Passport) refuse(r Refusal) { p.Refusals = append(p.Refusals, r) }

// Refused returns the classes of the refusals, each once, in their order.
func (p *Passport) Refused() []Class {
	var list []Class
	seen := map[Class]bool{}
	for _, r := range p.Refusals {
		if !seen[r.Class] {
			list = append(list, r.Class)
		}
		seen[r.Class] = true
	}
	return list
}

// except adds an exception, once.
func (p *Passport) except(e Exception) {
	if !slices.Contains(p.Exceptions, e) {
		p.Exceptions = append(p.Exceptions, e)
	}
}
