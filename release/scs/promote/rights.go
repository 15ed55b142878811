package promote

import (
	"context"
	"errors"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/gitrepo"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/gitlab"
)

// CheckRights finds out, before the first effect, whether everything is allowed:
// the error is a *release.MissingRightsError when not. unknown are rights that
// could not be looked up.
//
// What no question tells stays open: git's own rules for the one branch, as a
// server's hooks have them. A server that refuses the push then does so when only
// things named by digest were written, and a remote in a folder refuses nothing
// before.
func (p *Plan) CheckRights(ctx context.Context) (unknown []string, err error) {
	missing := &release.MissingRightsError{}
	var right *repository.MissingRight
	if err := p.Registry.Preflight(ctx); errors.As(err, &right) {
		missing.Missing = append(missing.Missing, right.Error())
	} else if err != nil {
		return nil, err
	}
	var remote *gitrepo.RemoteError
	if err := p.Repo.CheckPush(ctx, p.Remote, Branch(p.Draft.Environment)); errors.As(err, &remote) && remote.Reason != gitrepo.Unreachable {
		missing.Missing = append(missing.Missing, remote.Error())
	} else if err != nil {
		return nil, err
	}
	if p.Forge != nil {
		found, err := p.Forge.Preflight(ctx, gitlab.Needs{Deploy: true, Branch: Branch(p.Draft.Environment)})
		if err != nil {
			return nil, err
		}
		for _, m := range found {
			if m.Unknown {
				unknown = append(unknown, m.String())
			} else {
				missing.Missing = append(missing.Missing, m.String())
			}
		}
	}
	if len(missing.Missing) > 0 {
		return unknown, missing
	}
	return unknown, nil
}
