package resolve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"gitlab.com/selfcontained/pipeline/pipeline/bundle"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/policy"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

// Candidate is a version that may be taken.
type Candidate struct {
	scs.Member
	// Release is what the trusted statement of its release says, with the notes
	// of this version.
	Release sign.Release
	// Envelopes are all signed statements about the bundle that hold, in the order
	// of their manifests' digests: they travel with a promotion.
	Envelopes [][]byte
	// Findings say by what each rule is met; Exceptions among them are waivers.
	Findings []policy.Finding
	// Images, Provides and Uses are those of the bundle.
	Images         []bundle.Image
	Chart          evidence.Digest
	Provides, Uses []bundle.API

	version *semver.Version
}

// examination is the look at one version of a service.
type examination struct {
	*resolver
	service Service
	version *semver.Version

	digest   evidence.Digest
	bundle   *bundle.Bundle
	held     []*sign.Statement
	kept     [][]byte // the envelopes of held
	ignored  []ignored
	releases []sign.Release // of this version, that hold
}

// run returns what is found. The error says that the registry could not be read.
func (x *examination) run(ctx context.Context) (look, error) {
	for _, step := range []func(context.Context) (*Refusal, error){x.tag, x.read, x.statements, x.released} {
		refusal, err := step(ctx)
		if err != nil || refusal != nil {
			return look{refusal: refusal}, err
		}
	}
	c := x.candidate()
	if refusal := x.judge(c); refusal != nil {
		return look{refusal: refusal, release: c}, x.doubt()
	}
	return look{candidate: c, release: c}, nil
}

func (x *examination) refuse(reason Reason, remedy, format string, args ...any) *Refusal {
	return &Refusal{Version: x.version.String(), Reason: reason, Why: fmt.Sprintf(format, args...), Remedy: remedy}
}

// tag looks what the version's tag names.
func (x *examination) tag(ctx context.Context) (_ *Refusal, err error) {
	if x.digest, err = x.service.Source.Head(ctx, x.version.String()); err != nil {
		return nil, err
	}
	if x.digest == "" {
		return x.refuse(Damaged, "release it again", "its tag was listed and is not there"), nil
	}
	now := x.service.Current
	if now != nil && now.Version == x.version.String() && now.Bundle != x.digest {
		return x.refuse(TagMoved, "find out who moved the tag, and release the next version",
			"its tag names %s now; the system has %s under this version", x.digest, now.Bundle), nil
	}
	return nil, nil
}

// read reads the bundle.
func (x *examination) read(ctx context.Context) (_ *Refusal, err error) {
	x.bundle, err = bundle.Read(ctx, x.service.Source, x.digest)
	var broken *bundle.Broken
	var damaged *repository.Damaged
	switch {
	case errors.As(err, &broken), errors.As(err, &damaged):
		return x.refuse(Damaged, "release the next version", "the bundle is damaged: %v", err), nil
	case err != nil:
		return nil, err
	case x.bundle.Name != x.service.Name:
		return x.refuse(Disagree, "correct `name` or `source` in scs.yaml", "the bundle is of the service %s", x.bundle.Name), nil
	case x.bundle.Version != x.version.String():
		return x.refuse(Disagree, "release the next version", "its tag names a bundle of version %s", x.bundle.Version), nil
	}
	return nil, nil
}

// statements verifies what is attached to the bundle.
func (x *examination) statements(ctx context.Context) (*Refusal, error) {
	attached, err := attach.List(ctx, x.service.Source, x.digest)
	var right *repository.MissingRight
	switch {
	case err == nil:
	case ctx.Err() != nil, isAway(err), errors.As(err, &right):
		return nil, err
	default: // whoever may write to the repository can spoil the list
		return x.refuse(Unreadable, "clean the repository up", "the statements about it cannot be listed: %v", err), nil
	}
	for _, a := range attached {
		if a.Err != nil {
			x.ignored = append(x.ignored, ignored{err: a.Err, manifest: a.Manifest})
			continue
		}
		s, err := sign.Verify(a.Envelope, x.Trust, x.digest, x.Now)
		if err == nil {
			err = x.isOurs(s)
		}
		if err != nil {
			x.ignored = append(x.ignored, ignored{err: err, manifest: a.Manifest, claim: claimOf(a.Envelope)})
			continue
		}
		x.held, x.kept = append(x.held, s), append(x.kept, a.Envelope)
	}
	return nil, nil
}

// errNotOurs says that a statement holds, for others.
var errNotOurs = errors.New("not about this")

// isOurs checks that a statement holds in this system, everywhere, and that a
// verdict is about this service.
func (x *examination) isOurs(s *sign.Statement) error {
	terms := s.Predicate.In()
	switch {
	case terms.System != "" && terms.System != x.System:
		return fmt.Errorf("%w: it holds in the system %s only", errNotOurs, terms.System)
	case terms.Environment != "":
		return fmt.Errorf("%w: it holds in the environment %s only", errNotOurs, terms.Environment)
	}
	if v, ok := s.Predicate.(sign.Verdict); ok && !strings.HasPrefix(v.Stage, x.service.Name+"/") {
		return fmt.Errorf("%w: it is the verdict of %s", errNotOurs, v.Stage)
	}
	return nil
}

// released wants a trusted statement that this bundle is this version.
func (x *examination) released(context.Context) (*Refusal, error) {
	version := x.version.String()
	other, unsigned := "", false
	for _, s := range x.held {
		r, ok := s.Predicate.(sign.Release)
		switch {
		case !ok:
		case r.Version != version:
			other = r.Version
		case r.Unsigned:
			unsigned = true
		default:
			x.releases = append(x.releases, r)
		}
	}
	switch {
	case len(x.releases) > 0:
		return nil, nil
	case unsigned:
		return x.refuse(Unsigned, "release the next version with a key", "it was released although no key vouched for the evidence"), nil
	case other != "":
		return x.refuse(Disagree, "release the next version", "its tag names a bundle that was released as %s", other), nil
	}
	const remedy = "release it with a key that the system trusts, or add that key to `trust`"
	if reason, why := x.reason(func(c claim) bool { return c.isRelease() }); reason != notLookedFor {
		return x.refuse(reason, remedy, "the statement of its release does not count: %s", why), x.doubt()
	}
	return x.refuse(NotReleased, remedy, "nobody has signed that it was released%s", x.unreadable()), x.doubt()
}

func (x *examination) candidate() *Candidate {
	c := &Candidate{
		Member: scs.Member{
			Service: x.service.Name, Version: x.version.String(), Bundle: x.digest, Size: x.bundle.Size, Source: x.service.Source.String(),
		},
		Release: x.releases[0], Envelopes: x.kept,
		Images: x.bundle.Images, Chart: x.bundle.Chart, Provides: x.bundle.Provides, Uses: x.bundle.Uses, version: x.version,
	}
	// Of several statements the one with notes tells more, and then the first.
	for _, r := range x.releases {
		if c.Release.Notes == "" {
			c.Release = r
		}
	}
	return c
}

// judge asks for the verdicts. All that it is handed was signed by a trusted key.
func (x *examination) judge(c *Candidate) *Refusal {
	e := policy.Evidence{Subject: x.digest, Commit: c.Release.Commit, Signed: true}
	for _, s := range x.held {
		e.Add(s)
	}
	d := policy.Judge(x.policy, e, x.Now)
	c.Findings = d.Findings
	for i, f := range d.Findings {
		if f.Status != policy.NotMet {
			continue
		}
		stage := x.service.Name + "/" + x.stages[i]
		if reason, why := x.reason(func(c claim) bool { return c.isVerdict(stage) }); reason != notLookedFor {
			return x.refuse(reason, f.Remedy, "%s: %s; a verdict does not count: %s", f.Rule, f.Why, why)
		}
		return x.refuse(NotVerified, f.Remedy, "%s: %s%s", f.Rule, f.Why, x.unreadable())
	}
	return nil
}

// doubt returns an error when a statement could not be read because the registry
// went away in the middle: then nothing can be said about what is missing.
func (x *examination) doubt() error {
	for _, i := range x.ignored {
		if isAway(i.err) {
			return i.err
		}
	}
	return nil
}

// isAway reports whether an error is about the way to a registry, and not about
// what it sent.
func isAway(err error) bool {
	var answer *transport.Error
	var onWire *url.Error
	var network net.Error
	switch {
	case errors.As(err, &answer):
		return answer.StatusCode >= http.StatusInternalServerError || answer.StatusCode == http.StatusTooManyRequests
	case errors.As(err, &onWire), errors.As(err, &network), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	}
	return false
}
