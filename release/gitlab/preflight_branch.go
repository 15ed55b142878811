package gitlab

import (
	"context"
	"net/http"

	api "gitlab.com/gitlab-org/api/client-go/v2"
)

// protectedBranch reads who may push to the branch. Of all rules that match, one
// that lets the user in is enough; without a rule every Developer may. A denial
// is told as not known: git may sign in as somebody else.
// Source: doc/user/project/repository/branches/protected.md.
func (p *preflight) protectedBranch(ctx context.Context, who identity, role api.AccessLevelValue) error {
	options := &api.ListProtectedBranchesOptions{}
	options.PerPage = 100
	rules, err := api.ScanAndCollect(func(o api.PaginationOptionFunc) ([]*api.ProtectedBranch, *api.Response, error) {
		return p.c.api.ProtectedBranches.ListProtectedBranches(p.c.project, options, o, api.WithContext(ctx))
	})
	err = p.c.failed("read the protected branches", err)
	allowed := false
	switch status(err) {
	case http.StatusForbidden, http.StatusNotFound, http.StatusUnauthorized:
	default:
		if err != nil {
			return err
		}
		allowed = mayPush(rules, p.needs.Branch, who, role)
	}
	if !allowed {
		p.cannotKnow("branch", "pushing to "+p.needs.Branch, settingProtectedBranches)
	}
	return nil
}

func mayPush(rules []*api.ProtectedBranch, branch string, who identity, role api.AccessLevelValue) bool {
	protected := false
	for _, rule := range rules {
		if !wildcard(rule.Name, branch) {
			continue
		}
		protected = true
		for _, level := range rule.PushAccessLevels {
			switch {
			case level.UserID != 0:
				if level.UserID == who.user {
					return true
				}
			case level.GroupID != 0 || level.DeployKeyID != 0: // who that is is not looked up
			case level.AccessLevel > api.NoPermissions && role >= level.AccessLevel:
				return true
			}
		}
	}
	return !protected && role >= api.DeveloperPermissions
}

// jobDeployments is for a job token, which may read deployments but not roles.
func (p *preflight) jobDeployments(ctx context.Context, user string) error {
	options := &api.ListProjectDeploymentsOptions{ListOptions: api.ListOptions{PerPage: 1}}
	_, _, err := p.c.api.Deployments.ListProjectDeployments(p.c.project, options, api.WithContext(ctx))
	err = p.c.failed("list the deployments of "+p.c.project, err)
	switch status(err) {
	case http.StatusNotFound, http.StatusForbidden:
		p.missing("deployment", "access of "+user+" to the deployments of "+p.c.project, settingMember+"; for a job of another project: "+settingAllowlist)
		return nil
	}
	if err == nil {
		p.cannotKnow("deployment", "the role Developer of "+user, settingMember)
	}
	return err
}
