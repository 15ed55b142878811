package promote

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/registry"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/passport"
)

// Publication is a tested combination on its way into the repository of its
// system. All of it is named by digest and harms nobody.
type Publication struct {
	Combination scs.Combination
	To          *repository.Repository
	// Source opens the repository that a member's bundle is copied from; it is
	// asked for those only that are not in To.
	Source Opener
	// Evidence are the envelopes about the members and the combination.
	Evidence passport.Evidence
}

// Steps are what is to be done, in order: bundles, what is said of them, the
// index of the system, what is said of that.
func (p *Publication) Steps() []release.Step {
	id, n := p.Combination.ID(), 0
	var bundles []evidence.Digest
	for _, about := range subjects(p.Combination) {
		if about != id {
			bundles, n = append(bundles, about), n+len(p.Evidence[about])
		}
	}
	return []release.Step{
		{
			Name: "bundles", What: fmt.Sprintf("copy %d bundles to %s", len(bundles), p.To),
			Look: func(ctx context.Context) (bool, error) { return p.each(ctx, bundles, p.has) },
			Do: func(ctx context.Context) error {
				return p.forEach(ctx, p.Combination.Members, p.copy)
			},
		},
		p.statements("evidence", fmt.Sprintf("attach the %d statements about them", n), bundles),
		{
			Name: "index", What: fmt.Sprintf("push %s@%s", p.To, id),
			Look: func(ctx context.Context) (bool, error) { return p.has(ctx, id) },
			Do:   func(ctx context.Context) error { return p.To.PutManifest(ctx, index(p.Combination)) },
		},
		p.statements("verdicts", fmt.Sprintf("attach the %d statements about the system", len(p.Evidence[id])), []evidence.Digest{id}),
	}
}

// index is the manifest of a system.
func index(c scs.Combination) *repository.Manifest {
	return &repository.Manifest{MediaType: types.MediaType(c.IndexType()), Raw: c.Index()}
}

func (p *Publication) statements(name, what string, about []evidence.Digest) release.Step {
	return release.Step{
		Name: name, What: what,
		Look: func(ctx context.Context) (bool, error) {
			return p.each(ctx, about, func(ctx context.Context, d evidence.Digest) (bool, error) {
				lacking, err := missing(ctx, p.To, d, p.Evidence[d])
				return len(lacking) == 0, err
			})
		},
		Do: func(ctx context.Context) error {
			_, err := p.each(ctx, about, func(ctx context.Context, d evidence.Digest) (bool, error) {
				return true, put(ctx, p.To, d, p.Evidence[d])
			})
			return err
		},
	}
}

func (p *Publication) has(ctx context.Context, d evidence.Digest) (bool, error) {
	there, err := p.To.Head(ctx, string(d))
	return there == d, err
}

// each asks about several digests at once and reports whether all say yes.
func (p *Publication) each(ctx context.Context, list []evidence.Digest, ask func(context.Context, evidence.Digest) (bool, error)) (bool, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(p.To.Jobs())
	var no atomic.Bool
	for _, d := range list {
		group.Go(func() error {
			yes, err := ask(ctx, d)
			if !yes {
				no.Store(true)
			}
			return err
		})
	}
	err := group.Wait()
	return err == nil && !no.Load(), err
}

func (p *Publication) forEach(ctx context.Context, members []scs.Member, do func(context.Context, scs.Member) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(p.To.Jobs())
	for _, m := range members {
		group.Go(func() error { return do(ctx, m) })
	}
	return group.Wait()
}

// copy brings the bundle of a member from its source. What is there is neither
// sent nor asked for again.
func (p *Publication) copy(ctx context.Context, m scs.Member) error {
	if there, err := p.has(ctx, m.Bundle); err != nil || there {
		return err
	}
	if p.Source == nil || m.Source == p.To.String() {
		return fmt.Errorf("the bundle of %s %s, %s, is not in %s, and nothing else is known to have it", m.Service, m.Version, m.Bundle, p.To)
	}
	from, err := p.Source(m)
	if err != nil {
		return fmt.Errorf("%s %s: %w", m.Service, m.Version, err)
	}
	if err := registry.Push(ctx, p.To, from, m.Bundle); err != nil {
		return fmt.Errorf("copy %s %s: %w", m.Service, m.Version, err)
	}
	return nil
}
