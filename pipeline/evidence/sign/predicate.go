package sign

import (
	"slices"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// The predicate types. A change of what a field means makes a new version.
const (
	VerdictType  = "https://gitlab.com/selfcontained/pipeline/verdict/v1"
	ManualType   = "https://gitlab.com/selfcontained/pipeline/manual/v1"
	ReviewType   = "https://gitlab.com/selfcontained/pipeline/review/v1"
	OverrideType = "https://gitlab.com/selfcontained/pipeline/override/v1"
	ReleaseType  = "https://gitlab.com/selfcontained/pipeline/release/v1"

	ConsentType   = "https://gitlab.com/selfcontained/pipeline/consent/v1"
	PromotionType = "https://gitlab.com/selfcontained/pipeline/promotion/v1"
)

// MaxNotes is the size in bytes of the longest notes of a release.
const MaxNotes = 64 << 10

// Predicate is what a statement says of its subject: Verdict, Manual, Review,
// Override or Release, and of the combination of a system: Consent or Promotion.
type Predicate interface {
	// Type returns the predicate type, a URI.
	Type() string
	// In returns the terms on which it holds.
	In() Terms

	normal() Predicate
	check() error
}

// Terms stand in every predicate: on which terms it holds.
type Terms struct {
	// System and Environment limit the statement to one system and one class
	// of environments; empty means that it is about the bundle alone.
	System      string `json:"system,omitempty"`
	Environment string `json:"environment,omitempty"`
	// Policy is the digest of the policy that it was made under.
	Policy evidence.Digest `json:"policy,omitempty"`
	Issued time.Time       `json:"issued"`
	// Expires is when it ceases to hold; zero is never.
	Expires time.Time `json:"expires,omitzero"`
	// Sequence orders the statements of one issuer; it never decreases.
	Sequence int64 `json:"sequence"`
	// Run identifies the run that it comes from: a run id or a job's address.
	Run string `json:"run,omitempty"`
}

// Verdict is what a stage said of the bundle.
type Verdict struct {
	Terms
	Stage  string `json:"stage"`  // "stock/unit"
	Status string `json:"status"` // as pipeline.Status
	// Inputs is the key of the verdict: the hash of all that the stage saw.
	Inputs evidence.Digest `json:"inputs"`
	// Tools are versions by name.
	Tools   map[string]string `json:"tools,omitempty"`
	Started time.Time         `json:"started"`
	// Milliseconds is how long the stage ran.
	Milliseconds int64  `json:"milliseconds"`
	Summary      string `json:"summary,omitempty"`
	Version      string `json:"version"` // of the bundle, SemVer without "v"
	Commit       string `json:"commit"`  // that the bundle was built from
	// Waiver is there when the status is "waived", and only then.
	Waiver *Waiver `json:"waiver,omitempty"`
}

// Waiver lets a stage be red until a date.
type Waiver struct {
	Reason string    `json:"reason"`
	Until  time.Time `json:"until"`
}

// Manual is a checklist that a person went through.
type Manual struct {
	Terms
	By    string    `json:"by"` // who: name or address
	At    time.Time `json:"at"`
	Items []Item    `json:"items"`
}

// Item is one line of a checklist.
type Item struct {
	Name   string `json:"name"`
	Result string `json:"result"` // "passed", "failed" or "not tested"
	Note   string `json:"note,omitempty"`
}

// Review is what the forge says of the review of a commit.
type Review struct {
	Terms
	MergeRequest string `json:"mergeRequest"` // address or "!12"
	Commit       string `json:"commit"`       // the head that was approved
	Author       string `json:"author"`
	// Committers are the users that commits came from, the author excepted.
	Committers []string `json:"committers,omitempty"`
	// LastPush is when the last commit arrived.
	LastPush  time.Time  `json:"lastPush"`
	Approvals []Approval `json:"approvals"`
}

// Approval is one person's.
type Approval struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Override lets a gate pass although a rule is not met.
type Override struct {
	Terms
	Rule   string    `json:"rule"` // as release/policy names it
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Until  time.Time `json:"until"`
}

// Release says that the bundle was released, and what the gate let pass.
type Release struct {
	Terms
	Version string `json:"version"` // SemVer without "v"
	Commit  string `json:"commit"`
	Tag     string `json:"tag"` // of the repository: "stock/v1.4.2"
	// Digests are what else was released under the version: the manifest of the
	// chart as "chart", and files by their names ("stock-1.4.2-linux-amd64.tar.gz"),
	// those excepted that carry this statement or its digest.
	Digests map[string]evidence.Digest `json:"digests,omitempty"`
	// Notes are what changed, as Markdown, so that whoever takes the bundle into a
	// system can tell; cut after MaxNotes bytes.
	Notes string `json:"notes,omitempty"`
	// Overridden and Waived are shown for as long as the release exists.
	Overridden []Exception `json:"overridden,omitempty"`
	Waived     []Exception `json:"waived,omitempty"`
	// Unsigned says that no key vouched for the evidence.
	Unsigned bool `json:"unsigned,omitempty"`
}

// Exception is a rule that did not hold and was let pass.
type Exception struct {
	Rule   string    `json:"rule"`
	Reason string    `json:"reason"`
	By     string    `json:"by,omitempty"`
	Until  time.Time `json:"until"`
}

// Consent is a person's approval of a combination for one environment: Terms
// name the system and the environment.
type Consent struct {
	Terms
	By   string    `json:"by"` // who: name or address
	At   time.Time `json:"at"`
	Note string    `json:"note,omitempty"`
}

// Promotion says that an environment of a system was moved to a combination.
// Terms name the system and the environment; their sequence begins with 1 and
// grows by 1 with each promotion of that environment, a rollback included.
type Promotion struct {
	Terms
	Version string `json:"version"` // of the system, SemVer without "v"
	Commit  string `json:"commit"`  // of the system's repository that the lock is from
	// Lock is the digest of the lock file, Evidence that of the evidence which the
	// promotion rests on (scs.EvidenceDigest): neither can be changed afterwards.
	Lock     evidence.Digest `json:"lock"`
	Evidence evidence.Digest `json:"evidence"`
	// Previous is the combination that the environment was on; empty for the
	// first.
	Previous evidence.Digest `json:"previous,omitempty"`
	// Rollback says that it went back to an older combination on purpose.
	Rollback bool   `json:"rollback,omitempty"`
	By       string `json:"by"` // who: name, address or job
}

// Type returns VerdictType.
func (Verdict) Type() string { return VerdictType }

// Type returns ManualType.
func (Manual) Type() string { return ManualType }

// Type returns ReviewType.
func (Review) Type() string { return ReviewType }

// Type returns OverrideType.
func (Override) Type() string { return OverrideType }

// Type returns ReleaseType.
func (Release) Type() string { return ReleaseType }

// Type returns ConsentType.
func (Consent) Type() string { return ConsentType }

// Type returns PromotionType.
func (Promotion) Type() string { return PromotionType }

// In returns t.
func (t Terms) In() Terms { return t }

// second is a time as it is written: in UTC, to the second.
func second(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Second)
}

func (t Terms) normal() Terms {
	t.Issued, t.Expires = second(t.Issued), second(t.Expires)
	return t
}

func (v Verdict) normal() Predicate {
	v.Terms, v.Started = v.Terms.normal(), second(v.Started)
	if v.Waiver != nil {
		v.Waiver = &Waiver{v.Waiver.Reason, second(v.Waiver.Until)}
	}
	return v
}

func (m Manual) normal() Predicate {
	m.Terms, m.At = m.Terms.normal(), second(m.At)
	return m
}

func (r Review) normal() Predicate {
	r.Terms, r.LastPush = r.Terms.normal(), second(r.LastPush)
	r.Approvals = slices.Clone(r.Approvals)
	for i := range r.Approvals {
		r.Approvals[i].At = second(r.Approvals[i].At)
	}
	return r
}

func (o Override) normal() Predicate {
	o.Terms, o.At, o.Until = o.Terms.normal(), second(o.At), second(o.Until)
	return o
}

func (r Release) normal() Predicate {
	r.Terms = r.Terms.normal()
	r.Overridden, r.Waived = normalExceptions(r.Overridden), normalExceptions(r.Waived)
	return r
}

func (c Consent) normal() Predicate {
	c.Terms, c.At = c.Terms.normal(), second(c.At)
	return c
}

func (p Promotion) normal() Predicate {
	p.Terms = p.Terms.normal()
	return p
}

func normalExceptions(list []Exception) []Exception {
	list = slices.Clone(list)
	for i := range list {
		list[i].Until = second(list[i].Until)
	}
	return list
}
