// Package policy decides whether a bundle may pass a gate. It is pure: the
// evidence is handed in, verified by whoever read it, and nothing is looked up.
//
// A rule is met only by evidence that is there: a verdict on exactly this
// bundle, an approval, a signed checklist. There is no evidence against. A
// failed verdict beside a passed one on the same bytes is a flaky test, and is
// said; it does not close the gate, because whoever could hide the failed one
// would open it again. So taking evidence away never opens a gate, and what
// takes rights away (revoked keys and statements) belongs to the trust, which
// is read from a protected branch.
//
// An exception is a finding of its own: a waiver lets a stage be red until a
// date, an override lets a named rule pass until a date, signed by somebody. The
// decision lists both, and the release carries them for ever.
package policy

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// The rules that are not stages. The rule of a stage is "stage " and its name.
const (
	RuleApprovals = "approvals"
	RuleManual    = "manual"
	RuleCleanTree = "clean tree"
	RuleBranch    = "branch"
	RuleSigned    = "signed"
)

// StageRule returns the rule that asks for a stage.
func StageRule(stage string) string { return "stage " + stage }

// Policy is what a gate asks. The zero value asks nothing.
type Policy struct {
	// Require are the stages whose verdicts are asked for: "unit".
	Require []string `json:"require,omitempty"`
	// Approvals is the number of people other than the author who have to
	// approve after the last push.
	Approvals int `json:"approvals,omitempty"`
	// CommittersMayApprove counts the approvals of those whose commits are in
	// the merge request.
	CommittersMayApprove bool `json:"committersMayApprove,omitempty"`
	// Manual asks for a checklist in which everything passed.
	Manual bool `json:"manual,omitempty"`
	// Checklist are items that the checklist has to have.
	Checklist []string `json:"checklist,omitempty"`
	// CleanTree asks that nothing is uncommitted.
	CleanTree bool `json:"cleanTree,omitempty"`
	// Branch is the branch that has to contain the commit; empty is any.
	Branch string `json:"branch,omitempty"`
	// Signed asks for evidence that a trusted key vouches for.
	Signed bool `json:"signed,omitempty"`
	// Override are patterns of the rules that may be overridden, as path.Match
	// takes them: "stage *". None may be where it is empty.
	Override []string `json:"override,omitempty"`
}

// Release is the policy of a release: the stages on a clean commit of the
// release branch, by a trusted key. Everything but the signature may be
// overridden.
func Release(branch string, require []string) Policy {
	return Policy{
		Require: require, CleanTree: true, Branch: branch, Signed: true,
		Override: []string{"stage *", RuleApprovals, RuleManual, RuleCleanTree, RuleBranch},
	}
}

// Digest identifies the policy: statements say which one they were made under.
func (p Policy) Digest() evidence.Digest {
	p.Require, p.Checklist, p.Override = sorted(p.Require), sorted(p.Checklist), sorted(p.Override)
	data, err := json.Marshal(p)
	if err != nil {
		panic(err) // plain texts and numbers
	}
	return evidence.Sum(data)
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// mayOverride reports whether a rule may be overridden. A pattern that is none
// matches nothing.
func (p Policy) mayOverride(rule string) bool {
	return slices.ContainsFunc(p.Override, func(pattern string) bool {
		ok, err := path.Match(pattern, rule)
		return ok && err == nil
	})
}

// Evidence is what is known of one bundle at one commit.
type Evidence struct {
	// Subject is the digest of the bundle that wants to pass.
	Subject evidence.Digest
	// Commit is what it was built from.
	Commit string
	// Clean says that nothing was uncommitted; false is unknown, too.
	Clean bool
	// Branches are those known to contain the commit.
	Branches []string
	// Signed says that the verdicts below are vouched for by a trusted key.
	Signed    bool
	Verdicts  []Verdict
	Reviews   []Review
	Manual    []Checklist
	Overrides []Override
}

// about reports whether something is about exactly the bundle that is judged.
func (e Evidence) about(subject evidence.Digest) bool { return subject == e.Subject && subject != "" }

// Verdict is that of a stage. One on another subject never counts.
type Verdict struct {
	Stage   string
	Subject evidence.Digest
	Status  string // as pipeline.Status
	Summary string
	At      time.Time
	Waiver  *Waiver // with status "waived"
	// Remedy says what to do where the status opens no gate; empty is to run the
	// stage.
	Remedy string
}

// Waiver lets a stage be red until a date.
type Waiver struct {
	Reason string
	Until  time.Time
}

// Review is that of a merge request.
type Review struct {
	MergeRequest string
	Commit       string // the head that was approved
	Author       string
	Committers   []string
	LastPush     time.Time
	Approvals    []Approval
	// Left is how many approvals the forge's own rules still ask for.
	Left int
}

// Approval is one person's.
type Approval struct {
	By string
	At time.Time
}

// Checklist is a manual test.
type Checklist struct {
	Subject evidence.Digest
	By      string
	At      time.Time
	Items   []Item
}

// Item is a line of a checklist.
type Item struct{ Name, Result string }

// Override lets a rule pass.
type Override struct {
	Subject    evidence.Digest
	Rule       string
	Reason, By string
	At, Until  time.Time
}

// same compares names of users as forges do.
func same(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) }
