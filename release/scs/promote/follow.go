package promote

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/registry"
)

// promotion attaches the promotion to the combination: evidence for the
// environment that comes next.
func (p *Plan) promotion() release.Step {
	return release.Step{
		Name: "promotion", What: fmt.Sprintf("attach the promotion to %s@%s", p.Registry, p.Draft.ID),
		Look: func(ctx context.Context) (bool, error) {
			lacking, err := missing(ctx, p.Registry, p.Draft.ID, [][]byte{p.envelope()})
			return len(lacking) == 0, err
		},
		Do: func(ctx context.Context) error {
			return put(ctx, p.Registry, p.Draft.ID, [][]byte{p.envelope()})
		},
	}
}

// version tags the system with its version, which is never moved.
func (p *Plan) version() release.Step {
	tag := p.Draft.Version
	return release.Step{
		Name: "version", What: fmt.Sprintf("tag %s:%s", p.Registry, tag),
		Look: func(ctx context.Context) (bool, error) {
			if strings.Contains(tag, "+") {
				return false, fmt.Errorf("version %s: a registry's tag cannot hold build metadata (+...); give the system another version", tag)
			}
			has, err := p.Registry.Head(ctx, tag)
			if err == nil && has != "" && has != p.Draft.ID {
				err = &registry.TagTaken{
					Repository: p.Registry.String(), Tag: tag, Has: has, Want: p.Draft.ID,
					Why: "a version is never moved; `pipeline scs update` gives the system the next one",
				}
			}
			return has == p.Draft.ID, err
		},
		Do: func(ctx context.Context) error { return p.Registry.PutTag(ctx, tag, index(p.Draft.Lock.Combination)) },
	}
}

// name makes the tag of the environment follow the pointer.
func (p *Plan) name() release.Step {
	return release.Step{
		Name: "name", What: fmt.Sprintf("tag %s:%s", p.Registry, p.Draft.Environment),
		Look: func(ctx context.Context) (bool, error) {
			has, err := p.Registry.Head(ctx, p.Draft.Environment)
			return has == p.Draft.ID, err
		},
		Do: p.follow,
	}
}

// maxRounds bounds how often the pointer is looked at again because others move
// it too.
const maxRounds = 50

// follow gives the environment's tag to what the pointer names, and looks again
// afterwards: a registry has no compare-and-swap, and of two promotions that
// follow each other closely the first must not leave the tag on its own.
func (p *Plan) follow(ctx context.Context) error {
	id := p.Draft.ID
	for range maxRounds {
		m, err := p.Registry.Manifest(ctx, string(id))
		if err == nil && m == nil {
			err = fmt.Errorf("%s@%s is not there to be tagged %s", p.Registry, id, p.Draft.Environment)
		}
		if err != nil {
			return err
		}
		if err := p.Registry.PutTag(ctx, p.Draft.Environment, m); err != nil {
			return err
		}
		now, err := p.pointsTo(ctx)
		if err != nil || now == id {
			return err
		}
		id = now
	}
	return fmt.Errorf("%s is moved by others all the time; run again", p.Draft.Environment)
}

// pointsTo returns what the environment is on now.
func (p *Plan) pointsTo(ctx context.Context) (evidence.Digest, error) {
	still, err := p.still(ctx)
	if err != nil || still {
		return p.Draft.ID, err
	}
	there, err := ReadEnvironment(ctx, p.Repo, p.Remote, p.Draft.Environment)
	if err != nil {
		return "", err
	}
	last, err := there.Last(p.Rules)
	if err == nil && last == nil {
		err = errors.New("it is on nothing any more")
	}
	if err != nil {
		return "", fmt.Errorf("where %s was moved to meanwhile: %w", p.Draft.Environment, err)
	}
	return last.ID, nil
}

// still reports whether the environment is where this promotion has moved it.
func (p *Plan) still(ctx context.Context) (bool, error) {
	tip, err := p.Repo.RemoteBranch(ctx, p.Remote, Branch(p.Draft.Environment))
	return p.at != nil && tip == p.at.Commit, err
}

// deployment tells GitLab. A promotion that another one has followed meanwhile is
// not recorded any more: it would look like the newest. Neither is one that
// another one has just made: GitLab would take the same deployment from both, and
// who made it records it, or whoever promotes next.
func (p *Plan) deployment() release.Step {
	return release.Step{
		Name: "deployment", What: fmt.Sprintf("record the deployment to %s in GitLab", p.Draft.Environment),
		Look: func(ctx context.Context) (bool, error) {
			if p.at == nil {
				return false, nil // the commit is not known before it is made
			}
			if p.adopted {
				return true, nil
			}
			if still, err := p.still(ctx); err != nil || !still {
				return !still, err
			}
			found, err := p.Forge.LookDeployment(ctx, p.record())
			return err == nil && found.Complete(), err
		},
		Do: func(ctx context.Context) error {
			_, err := p.Forge.EnsureDeployment(ctx, p.record())
			return err
		},
	}
}

func (p *Plan) record() gitlab.Deployment {
	return gitlab.Deployment{
		Environment: p.Draft.Environment, SHA: p.at.Commit, Ref: Branch(p.Draft.Environment), Status: gitlab.DeploymentSuccess, URL: p.URL,
	}
}
