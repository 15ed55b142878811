// Package resolve finds out which versions of its services a system may take:
// for each service the newest one in its range that is verified, with the
// evidence, and why newer ones are no candidates.
//
// A version is a candidate when its tag names a whole bundle, a trusted key has
// signed that this bundle was released as this version, and trusted keys have
// signed the verdicts that the system asks for. There is no evidence against:
// statements that are not believed are left lying and told as the reason when
// something is missing.
//
// Normally only the newest version is read. Choice.Older and Choice.Notes look
// deeper when somebody asks. What has a digest need not be read twice: open the
// repositories with the transport of package content. Tags and lists of
// referrers are asked for each time, for many services at once.
package resolve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/Masterminds/semver/v3"
	"golang.org/x/sync/errgroup"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/policy"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

// Input is what a system asks for.
type Input struct {
	System   string
	Services []Service
	// Require are the stages of which every bundle has to have a verdict: "unit".
	Require []string
	// Trust is that of the system's protected branch.
	Trust sign.Trust
	Now   time.Time
	// Jobs is how many versions are looked at at once. Default 16.
	Jobs int
}

// Service is a service of the system.
type Service struct {
	Name string
	// Source is where it is released to.
	Source *repository.Repository
	// Range are the versions that may be taken, as Masterminds/semver reads them.
	// Empty is any release; pre-releases only when the range names one.
	Range string
	// Current is the member that the system has now; nil for none.
	Current *scs.Member
}

// Result is what can be taken.
type Result struct {
	// Choices are one for each service, sorted by name.
	Choices []*Choice
}

// Reason is a class of reasons why a version is no candidate.
type Reason string

// The reasons, in the order in which they are looked for.
const (
	OutOfRange   Reason = "not in range"
	TagMoved     Reason = "tag moved"    // it names another bundle than the system has under this version
	Damaged      Reason = "damaged"      // the bundle cannot be read
	Disagree     Reason = "disagreement" // tag, bundle and statement say different versions or names
	NotReleased  Reason = "not released" // no statement of a release
	Unsigned     Reason = "unsigned"     // released although no key vouched for the evidence
	NotVerified  Reason = "not verified" // no verdict, or one that opens no gate
	Expired      Reason = "expired"
	Revoked      Reason = "revoked"
	NotYetValid  Reason = "not yet valid"
	UnknownKey   Reason = "unknown key"
	NotOurs      Reason = "not for us" // the statement is limited to another system, environment or service
	Unreadable   Reason = "unreadable" // the statement is malformed or damaged
	notLookedFor Reason = ""
)

// Refusal says why a version is no candidate.
type Refusal struct {
	Version string `json:"version"`
	Reason  Reason `json:"reason"`
	Why     string `json:"why"`
	Remedy  string `json:"remedy,omitempty"`
}

// Unreachable says that a registry is away, or does not let us read: nothing is
// known then.
type Unreachable struct {
	Service, Source string
	Err             error
}

func (e *Unreachable) Error() string {
	remedy := "; check the network and `source` of the service in scs.yaml"
	var right *repository.MissingRight
	if errors.As(e.Err, &right) {
		remedy = "" // it says what to do
	}
	return fmt.Sprintf("service %s: cannot read %s: %v%s", e.Service, e.Source, e.Err, remedy)
}

// Unwrap returns what the registry, or the network, said.
func (e *Unreachable) Unwrap() error { return e.Err }

// defaultJobs is how many versions are looked at at once.
const defaultJobs = 16

// Resolve looks for the newest candidate of each service. That a service has
// none is an answer: see Choice. The error is the *Unreachable of each service
// whose registry could not be read (joined, by name; the result has the others),
// or about a range that cannot be read.
func Resolve(ctx context.Context, in Input) (*Result, error) {
	r := &resolver{Input: in, slots: make(chan struct{}, cmp.Or(in.Jobs, defaultJobs)), stages: once(in.Require)}
	r.policy = policy.Policy{Require: r.stages, Signed: true}
	result := &Result{}
	for _, s := range slices.SortedFunc(slices.Values(in.Services), func(a, b Service) int { return cmp.Compare(a.Name, b.Name) }) {
		constraint, err := semver.NewConstraint(cmp.Or(s.Range, "*"))
		if err != nil {
			return nil, fmt.Errorf("service %s: range %q: %w; expected one such as \">=0.1.0 <1.0.0\" or ^1.2", s.Name, s.Range, err)
		}
		result.Choices = append(result.Choices, &Choice{Service: s.Name, asked: s, constraint: constraint, resolver: r, looks: map[string]look{}})
	}
	errs := make([]error, len(result.Choices))
	var group errgroup.Group
	for i, c := range result.Choices {
		group.Go(func() error {
			errs[i] = c.choose(ctx)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return result, errors.Join(errs...)
}

// resolver is what all services have in common.
type resolver struct {
	Input
	slots  chan struct{}
	stages []string // that are asked for, each once
	policy policy.Policy
}

// slot waits until one more version may be looked at, and returns how to say
// that this is done.
func (r *resolver) slot(ctx context.Context) (func(), error) {
	select {
	case r.slots <- struct{}{}:
		return func() { <-r.slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// once returns a list without what stands in it before.
func once(list []string) []string {
	var kept []string
	for _, s := range list {
		if !slices.Contains(kept, s) {
			kept = append(kept, s)
		}
	}
	return kept
}
