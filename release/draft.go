package release

import (
	"errors"
	"fmt"
	"time"

	"github.com/Masterminds/semver/v3"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release/changelog"
	"gitlab.com/selfcontained/pipeline/release/policy"
	"gitlab.com/selfcontained/pipeline/release/version"
	"gitlab.com/selfcontained/pipeline/release/version/goapi"
)

// Input is everything that a decision rests on.
type Input struct {
	Service string
	// Candidate is the version that the bundle carries or, for a library, the one
	// that a build would get.
	Candidate string
	// Bundle is the digest of the bundle; empty for a library.
	Bundle evidence.Digest
	// Module is the path of a library's Go module; empty for a program.
	Module string
	// Commit is the full hash of what is released.
	Commit string
	// Version is what the version depends on; Wanted is filled in.
	Version version.Input
	// Commits are those since the last release, for the notes, newest first.
	Commits []changelog.Commit
	// Forge makes links in the notes.
	Forge changelog.Forge
	// Written is what people wrote about the release, as Markdown.
	Written string
	// Artefacts are what the notes tell to fetch.
	Artefacts Artefacts
	Policy    policy.Policy
	Evidence  policy.Evidence
	// Unsigned says that no key vouches for the evidence, and that this was
	// asked for.
	Unsigned bool
	Now      time.Time
}

// Draft is a release as it would be made.
type Draft struct {
	Service string `json:"service"`
	// Version and Tag are empty when there is nothing to release.
	Version  string          `json:"version,omitempty"`
	Tag      string          `json:"tag,omitempty"`
	Previous string          `json:"previous,omitempty"` // tag of the last release
	Commit   string          `json:"commit"`
	Bundle   evidence.Digest `json:"bundle,omitempty"`
	Bump     string          `json:"bump"`
	Reasons  []Reason        `json:"reasons"`
	Gate     policy.Decision `json:"gate"`
	Unsigned bool            `json:"unsigned,omitempty"`
	Notes    string          `json:"notes,omitempty"`
	// Changes are the part of the notes that the signed statement carries.
	Changes string `json:"-"`
	// Refusals say why it must not be released; empty when it may be.
	Refusals []Refusal `json:"refusals,omitempty"`
}

// Reason is something that a version rests on.
type Reason struct {
	Bump  string `json:"bump"`
	Rule  string `json:"rule,omitempty"` // of a proven change
	Where string `json:"where,omitempty"`
	Text  string `json:"text"`
}

// Refusal is one thing that keeps a release back.
type Refusal struct {
	// Rule is that of the gate; empty when it is the version that is wrong.
	Rule string `json:"rule,omitempty"`
	Why  string `json:"why"`
	// Details are lines that belong to it.
	Details []string `json:"details,omitempty"`
	// Remedy says what to do.
	Remedy string `json:"remedy"`
}

// Nothing reports whether there is nothing to release.
func (d *Draft) Nothing() bool { return d.Version == "" && len(d.Refusals) == 0 }

// Allowed reports whether it may be released.
func (d *Draft) Allowed() bool { return d.Version != "" && len(d.Refusals) == 0 }

// RefusedError says that a gate refused the draft.
type RefusedError struct{ Draft *Draft }

func (e *RefusedError) Error() string {
	r := e.Draft.Refusals[0]
	why := r.Why
	if r.Rule != "" {
		why = r.Rule + ": " + why
	}
	text := fmt.Sprintf("%s is not released: %s; %s", e.Draft.Service, why, r.Remedy)
	if more := len(e.Draft.Refusals) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more, see above)", more)
	}
	return text
}

// Decide makes the draft. The error is about the input: a candidate that is no
// version. A draft that must not be released has refusals.
func Decide(in Input) (*Draft, error) {
	wanted, err := semver.StrictNewVersion(in.Candidate)
	if err != nil {
		return nil, fmt.Errorf("version %q of %s: %w", in.Candidate, in.Service, err)
	}
	d := &Draft{Service: in.Service, Commit: in.Commit, Bundle: in.Bundle, Unsigned: in.Unsigned}
	if last := in.Version.Last; last != nil {
		d.Previous = in.Version.Prefix + last.Original()
	}
	d.decideVersion(in, wanted)
	if d.Nothing() {
		return d, nil
	}
	d.Gate = policy.Judge(in.Policy, in.Evidence, in.Now)
	d.refuseByGate()
	if d.Version != "" {
		d.Tag = in.Version.Prefix + d.Version
		d.Notes, d.Changes = d.notes(in), d.changes(in)
	}
	return d, nil
}

// decideVersion fills in the version and what speaks against the bundle's.
func (d *Draft) decideVersion(in Input, wanted *semver.Version) {
	in.Version.Wanted = nil
	free, err := version.Decide(in.Version) // what is due, whatever the bundle says
	d.Bump = max(free.Claimed, free.Proven).String()
	for _, r := range free.Reasons {
		d.Reasons = append(d.Reasons, Reason{Bump: r.Bump.String(), Rule: r.Rule, Where: r.Where, Text: r.Text})
	}
	switch {
	case err != nil:
		d.refuse(Refusal{Why: err.Error(), Remedy: "see `pipeline release --help`"})
	case free.Due == nil:
		text := "nothing since " + d.Previous + " asks for a release"
		if !in.Evidence.Clean {
			text += "; uncommitted changes do not count"
		}
		d.Reasons = append(d.Reasons, Reason{Bump: d.Bump, Text: text})
	case version.Development(wanted):
		d.refuse(development(in, free))
	default:
		d.judgeWanted(in, wanted)
	}
}

// development refuses a bundle that was built off the release branch or with
// uncommitted changes.
func development(in Input, free version.Decision) Refusal {
	return Refusal{
		Why:    fmt.Sprintf("the bundle is a development build, %s", in.Candidate),
		Remedy: fmt.Sprintf("commit everything on branch %s and `pipeline run`, or `pipeline run --version %s`, then release again", in.Policy.Branch, free.Due),
	}
}

// judgeWanted compares the bundle's version with what is due.
func (d *Draft) judgeWanted(in Input, wanted *semver.Version) {
	in.Version.Wanted = wanted
	decided, err := version.Decide(in.Version)
	var low *version.TooLowError
	switch {
	case errors.As(err, &low):
		d.refuse(tooLow(decided, wanted, in.Bundle == ""))
	case in.Version.Pre != "" && wanted.Prerelease() == "":
		d.refuse(Refusal{
			Why:    fmt.Sprintf("the bundle is %s, and a pre-release was asked for: %s", wanted, decided.Due),
			Remedy: fmt.Sprintf("`pipeline run --version %s` builds and tests that one, then release again", decided.Due),
		})
	case err != nil:
		d.refuse(Refusal{Why: err.Error(), Remedy: "give it another version with `pipeline run --version`, or release it with --stable"})
	default:
		d.Version = decided.Next.String()
		d.checkPath(in.Module, decided.Next)
	}
}

// checkPath refuses a library whose module path does not fit to the version.
func (d *Draft) checkPath(module string, v *semver.Version) {
	if module == "" {
		return
	}
	if err := (&goapi.API{Module: module}).CheckVersion(v); err != nil {
		d.refuse(Refusal{Why: err.Error(), Remedy: "then commit, run and release again"})
	}
}

// tooLow lists what the code proves and no commit says, if that is the cause.
func tooLow(decided version.Decision, wanted *semver.Version, library bool) Refusal {
	r := Refusal{
		Why:    fmt.Sprintf("the bundle is %s, and %s is due", wanted, decided.Due),
		Remedy: fmt.Sprintf("`pipeline run --version %s` builds and tests that one, then release again", decided.Due),
	}
	if library {
		r.Why = fmt.Sprintf("the version would be %s, and %s is due", wanted, decided.Due)
		r.Remedy = fmt.Sprintf("declare it in a commit (`feat:`, `fix!:`), or `pipeline run --version %s` and `pipeline release --version %[1]s`", decided.Due)
	}
	for _, c := range decided.Unclaimed {
		r.Details = append(r.Details, fmt.Sprintf("%-5s  %s", c.Bump, c))
	}
	if len(r.Details) > 0 {
		r.Why += ": the code has changes that no commit declares"
	}
	return r
}

func (d *Draft) refuse(r Refusal) { d.Refusals = append(d.Refusals, r) }

// refuseByGate makes a refusal of each rule that is not met.
func (d *Draft) refuseByGate() {
	for _, f := range d.Gate.Findings {
		if f.Status == policy.NotMet {
			d.refuse(Refusal{Rule: f.Rule, Why: f.Why, Remedy: f.Remedy})
		}
	}
}
