package release

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/release/gitlab"
)

// MissingRightsError names what would be denied. Nothing was changed.
type MissingRightsError struct{ Missing []string }

func (e *MissingRightsError) Error() string {
	return "nothing was changed, because rights are missing:\n  " + strings.Join(e.Missing, "\n  ")
}

// CheckRights finds out, before the first effect, whether everything is
// allowed: the error is a *MissingRightsError when not. unknown are rights that
// the token may not look up. probe allows a request that GitLab must refuse
// where reading does not tell (see gitlab.Needs).
func (p *Plan) CheckRights(ctx context.Context, probe bool) (unknown []string, err error) {
	missing := &MissingRightsError{}
	for _, r := range []*repository.Repository{p.Registry, p.ChartRegistry} {
		if r == nil {
			continue
		}
		var right *repository.MissingRight
		if err := r.Preflight(ctx); errors.As(err, &right) {
			missing.Missing = append(missing.Missing, fmt.Sprintf("%v; %s", right, right.Remedy()))
		} else if err != nil {
			return nil, err
		}
	}
	if p.Forge != nil {
		found, err := p.Forge.Preflight(ctx, gitlab.Needs{Tag: p.Draft.Tag, Release: true, Assets: len(p.Assets) > 0, Probe: probe})
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
