package cli

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/bundle"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/interfaces"
	"gitlab.com/selfcontained/pipeline/release/scs/resolve"
	"gitlab.com/selfcontained/pipeline/release/scs/resolve/content"
)

// resolution is what a system can take now.
type resolution struct {
	*resolve.Result
	// Candidate has the newest candidate of each service; it lacks those that have
	// none.
	Candidate scs.Combination
	Report    *interfaces.Report // on its interfaces
	sess      *systemSession
	apis      map[evidence.Digest]apis
}

// apis are the interfaces of a bundle.
type apis struct{ provides, uses []bundle.API }

// resolve looks for the newest candidate of each service and compares their
// interfaces.
func (s *systemSession) resolve(ctx context.Context, r *rules) (*resolution, error) {
	in := resolve.Input{System: s.Name, Require: r.Require, Trust: r.Trust, Now: time.Now()}
	for _, svc := range s.Services {
		from, err := s.sourceOf(svc.Name)
		if err != nil {
			return nil, err
		}
		asked := resolve.Service{Name: svc.Name, Source: from, Range: svc.Range}
		if s.lock != nil {
			asked.Current = s.lock.Member(svc.Name)
		}
		in.Services = append(in.Services, asked)
	}
	found, err := resolve.Resolve(ctx, in)
	if err != nil {
		return nil, err
	}
	all := &resolution{Result: found, Candidate: scs.Combination{System: s.Name}, sess: s, apis: map[evidence.Digest]apis{}}
	for _, c := range found.Choices {
		if c.Newest != nil {
			all.take(c.Newest)
			all.Candidate = all.Candidate.With(c.Newest.Member)
		}
	}
	all.Report, err = all.check(ctx, all.Candidate)
	return all, err
}

func (r *resolution) take(c *resolve.Candidate) { r.apis[c.Bundle] = apis{c.Provides, c.Uses} }

// check compares the interfaces of a combination's members.
func (r *resolution) check(ctx context.Context, c scs.Combination) (*interfaces.Report, error) {
	var members []interfaces.Member
	for _, m := range c.Members {
		a, err := r.interfacesOf(ctx, m)
		if err != nil {
			return nil, err
		}
		members = append(members, interfaces.Member{Service: m.Service, Provides: a.provides, Uses: a.uses})
	}
	return interfaces.Check(interfaces.Input{Members: members, External: r.sess.External}), nil
}

// interfacesOf reads the interfaces of a bundle, once.
func (r *resolution) interfacesOf(ctx context.Context, m scs.Member) (apis, error) {
	if a, ok := r.apis[m.Bundle]; ok {
		return a, nil
	}
	from, err := openSource(r.sess.cache, m.Source)
	if err != nil {
		return apis{}, err
	}
	b, err := bundle.Read(ctx, from, m.Bundle)
	if err != nil {
		return apis{}, fmt.Errorf("read the interfaces of %s %s: %w", m.Service, m.Version, err)
	}
	r.apis[m.Bundle] = apis{b.Provides, b.Uses}
	return r.apis[m.Bundle], nil
}

// complete says which services have no candidate; nil when all have one.
func (r *resolution) complete() error {
	var missing []string
	for _, c := range r.Choices {
		if c.Newest == nil {
			missing = append(missing, c.Why())
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &gateError{"there is no candidate for every service:\n  " + strings.Join(missing, "\n  ")}
}

// gateError says that a gate refused.
type gateError struct{ why string }

func (e *gateError) Error() string { return e.why }

// openSource opens a repository that is only read; what it says under a digest
// is kept in the cache folder.
func openSource(cache, ref string) (*repository.Repository, error) {
	return openRepositoryWith(ref, content.Transport(filepath.Join(cache, "content"), nil))
}

// openRepositoryAt names a repository in a registry.
func openRepositoryAt(ref string) (*repository.Repository, error) {
	return openRepositoryWith(ref, nil)
}

// openRepositoryWith names a repository in a registry. In a GitLab job the
// credentials of the job are used for the registry of the project.
func openRepositoryWith(ref string, transport http.RoundTripper) (*repository.Repository, error) {
	options := repository.Options{Transport: transport}
	if host, _, _ := strings.Cut(ref, "/"); host != "" && host == os.Getenv("CI_REGISTRY") {
		options.Username, options.Password = os.Getenv("CI_REGISTRY_USER"), os.Getenv("CI_REGISTRY_PASSWORD")
	}
	r, err := repository.Open(ref, options)
	if err != nil {
		return nil, &usageError{err}
	}
	return r, nil
}
