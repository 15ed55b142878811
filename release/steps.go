package release

import (
	"context"
	"fmt"
	"slices"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/registry"
)

// Plan is a draft that may be released, with what is put where.
type Plan struct {
	Draft *Draft
	// Registry is where the bundle goes and ChartRegistry where its chart does;
	// nil for a library, and for a service without a chart.
	Registry, ChartRegistry *repository.Repository
	Layout                  *registry.Layout
	Chart                   evidence.Digest
	// Statements are envelopes to attach to the bundle.
	Statements [][]byte
	// Forge is nil where git alone knows the release.
	Forge  *gitlab.Client
	Assets []gitlab.Asset
	// Folder gets the assets too; empty for none.
	Folder string
	Tagger Tagger
	// Here makes the tag in the working copy when GitLab has made it: the next
	// version is computed from the tags that are here. Nil where Tagger does it.
	Here Tagger
}

// Tagger makes the tag with git.
type Tagger interface {
	// Has reports whether the tag is where it has to be. A tag of this name on
	// another commit is an error.
	Has(ctx context.Context, tag, commit string) (bool, error)
	// Make makes the tag be there.
	Make(ctx context.Context, tag, commit string) error
	// String says what it does.
	String() string
}

// Steps are what is to be done, in order. What is named by digest comes first
// and harms nobody; then the tag takes the version; the names that people use
// come last.
func (p *Plan) Steps() []Step {
	var steps []Step
	if p.Registry != nil {
		steps = append(steps, p.bundle())
		if len(p.Statements) > 0 {
			steps = append(steps, p.statements())
		}
	}
	if p.Folder != "" {
		steps = append(steps, p.files())
	}
	if p.Forge != nil {
		for _, a := range p.Assets {
			steps = append(steps, p.asset(a))
		}
	}
	if p.Tagger != nil {
		steps = append(steps, p.tag("tag", p.Tagger))
	}
	if p.Forge != nil {
		steps = append(steps, p.forgeRelease())
	}
	if p.Registry != nil {
		steps = append(steps, p.names())
	}
	if p.ChartRegistry != nil {
		steps = append(steps, p.chart())
	}
	if p.Here != nil {
		steps = append(steps, p.tag("here", p.Here))
	}
	return steps
}

func (p *Plan) bundle() Step {
	return Step{
		Name: "bundle", What: fmt.Sprintf("push %s@%s", p.Registry, p.Draft.Bundle),
		Look: func(ctx context.Context) (bool, error) {
			there, err := p.Registry.Head(ctx, string(p.Draft.Bundle))
			return there != "", err
		},
		Do: func(ctx context.Context) error { return registry.Push(ctx, p.Registry, p.Layout, p.Draft.Bundle) },
	}
}

func (p *Plan) statements() Step {
	return Step{
		Name: "statements", What: fmt.Sprintf("attach %d signed statements", len(p.Statements)),
		Look: func(ctx context.Context) (bool, error) {
			missing, err := p.missingStatements(ctx)
			return len(missing) == 0, err
		},
		Do: func(ctx context.Context) error {
			missing, err := p.missingStatements(ctx)
			for _, e := range missing {
				if _, err := attach.Put(ctx, p.Registry, e); err != nil {
					return err
				}
			}
			return err
		},
	}
}

// missingStatements are those that are not attached. A bundle that is not there
// has none.
func (p *Plan) missingStatements(ctx context.Context) ([][]byte, error) {
	if there, err := p.Registry.Head(ctx, string(p.Draft.Bundle)); err != nil || there == "" {
		return p.Statements, err
	}
	attached, err := attach.List(ctx, p.Registry, p.Draft.Bundle)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(p.Statements), func(e []byte) bool {
		return slices.ContainsFunc(attached, func(a attach.Attached) bool { return string(a.Envelope) == string(e) })
	}), nil
}

func (p *Plan) asset(a gitlab.Asset) Step {
	return Step{
		Name: "asset", What: fmt.Sprintf("upload %s to the package registry", a.Name),
		Look: func(ctx context.Context) (bool, error) {
			found, err := p.Forge.LookAsset(ctx, a)
			return found.Outcome == gitlab.Found, err
		},
		Do: func(ctx context.Context) error {
			_, err := p.Forge.EnsureAsset(ctx, a)
			return err
		},
	}
}

func (p *Plan) tag(name string, by Tagger) Step {
	return Step{
		Name: name, What: fmt.Sprintf("%s %s on %.12s", by, p.Draft.Tag, p.Draft.Commit),
		Look: func(ctx context.Context) (bool, error) { return by.Has(ctx, p.Draft.Tag, p.Draft.Commit) },
		Do:   func(ctx context.Context) error { return by.Make(ctx, p.Draft.Tag, p.Draft.Commit) },
	}
}

func (p *Plan) forgeRelease() Step {
	what := "make the release " + p.Draft.Tag
	if p.Tagger == nil {
		what = fmt.Sprintf("make the tag %s on %.12s, and the release", p.Draft.Tag, p.Draft.Commit)
	}
	return Step{
		Name: "release", What: what + " in GitLab",
		Look: func(ctx context.Context) (bool, error) {
			found, err := p.Forge.LookRelease(ctx, p.forgeDraft())
			return err == nil && found.Complete(), err
		},
		Do: func(ctx context.Context) error {
			_, err := p.Forge.EnsureRelease(ctx, p.forgeDraft())
			return err
		},
	}
}

func (p *Plan) forgeDraft() gitlab.Release {
	r := gitlab.Release{
		Tag: p.Draft.Tag, Commit: p.Draft.Commit, Name: p.Draft.Service + " " + p.Draft.Version, Notes: p.Draft.Notes,
	}
	for _, a := range p.Assets {
		r.Links = append(r.Links, gitlab.Link{Name: a.Name, URL: p.Forge.AssetURL(a), Type: gitlab.LinkPackage, Path: "/" + a.Name})
	}
	return r
}

func (p *Plan) names() Step {
	return Step{
		Name: "names", What: fmt.Sprintf("tag %s:%s, and the moving tags", p.Registry, p.Draft.Version),
		Look: func(ctx context.Context) (bool, error) {
			moves, err := registry.PlanTags(ctx, p.Registry, p.Draft.Bundle, p.Draft.Version)
			return len(moves) == 0, err
		},
		Do: func(ctx context.Context) error {
			return registry.Tag(ctx, p.Registry, p.Draft.Bundle, p.Draft.Version)
		},
	}
}

func (p *Plan) chart() Step {
	return Step{
		Name: "chart", What: fmt.Sprintf("tag the chart as %s:%s", p.ChartRegistry, p.Draft.Version),
		Look: func(ctx context.Context) (bool, error) {
			if err := registry.CheckChart(ctx, p.ChartRegistry, p.Chart, p.Draft.Version); err != nil {
				return false, err
			}
			there, err := p.ChartRegistry.Head(ctx, p.Draft.Version)
			return there == p.Chart, err
		},
		Do: func(ctx context.Context) error {
			return registry.PushChart(ctx, p.ChartRegistry, p.Layout, p.Chart, p.Draft.Version)
		},
	}
}
