package gitlab

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"

	api "gitlab.com/gitlab-org/api/client-go/v2"
)

// identity is what an access token tells about itself.
type identity struct {
	user   int64    // 0: not known
	scopes []string // nil: not known
}

func (i identity) may(scopes ...string) bool {
	return i.scopes == nil || slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(i.scopes, s) })
}

// access is for access tokens and OAuth tokens.
func (p *preflight) access(ctx context.Context) error {
	who, err := p.self(ctx)
	if status(err) == http.StatusUnauthorized {
		p.missing("", "a token that is valid", settingToken)
		return nil
	}
	if err != nil {
		return err
	}
	p.scopes(who)
	if !who.may("api", "read_api") {
		p.missing("", "reading the project, scope read_api or api,", settingToken)
		return nil
	}
	project, _, err := p.c.api.Projects.GetProject(p.c.project, nil, api.WithContext(ctx))
	err = p.c.failed("read project "+p.c.project, err)
	switch status(err) {
	case http.StatusNotFound, http.StatusForbidden:
		p.missing("", "access to "+p.c.project, settingMember)
		return nil
	}
	if err != nil {
		return err
	}
	return p.inProject(ctx, who, project)
}

// self reads what the token is. OAuth tokens and some others have no such
// page: then scopes and user are unknown.
func (p *preflight) self(ctx context.Context) (identity, error) {
	token, _, err := p.c.api.PersonalAccessTokens.GetSinglePersonalAccessToken(api.WithContext(ctx))
	err = p.c.failed("read the access token's own rights", err)
	switch status(err) {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusForbidden:
		return p.user(ctx)
	}
	if err != nil {
		return identity{}, err
	}
	return identity{token.UserID, append([]string{}, token.Scopes...)}, nil
}

func (p *preflight) user(ctx context.Context) (identity, error) {
	user, _, err := p.c.api.Users.CurrentUser(api.WithContext(ctx))
	err = p.c.failed("read the token's user", err)
	if status(err) == http.StatusForbidden {
		return identity{scopes: []string{}}, nil // insufficient_scope
	}
	if err != nil {
		return identity{}, err
	}
	return identity{user: user.ID}, nil
}

// scopes compares what the needs ask of the token itself.
func (p *preflight) scopes(who identity) {
	for _, need := range []struct {
		name   string
		scopes []string
	}{
		{"release", []string{"api"}}, {"assets", []string{"api"}}, {"review", []string{"api", "read_api"}},
		{"note", []string{"api"}}, {"push", []string{"api", "write_repository"}},
		{"deployment", []string{"api"}}, {"merge request", []string{"api"}},
	} {
		if !p.asked()[need.name] {
			continue
		}
		scope := "the scope " + strings.Join(need.scopes, " or ")
		switch {
		case !who.may(need.scopes...):
			p.missing(need.name, scope, settingToken)
		case who.scopes == nil:
			p.cannotKnow(need.name, scope, settingToken)
		}
	}
}

func (p *preflight) inProject(ctx context.Context, who identity, project *api.Project) error {
	n := p.needs
	role, known, err := p.roleIn(ctx, who, project)
	if err != nil {
		return err
	}
	for _, need := range []struct {
		name  string
		least api.AccessLevelValue
	}{
		{"release", api.DeveloperPermissions}, {"assets", api.DeveloperPermissions}, {"review", api.ReporterPermissions},
		{"note", api.ReporterPermissions}, {"push", api.DeveloperPermissions},
		{"deployment", api.DeveloperPermissions}, {"merge request", api.DeveloperPermissions},
	} {
		switch {
		case !p.asked()[need.name]:
		case !known:
			p.cannotKnow(need.name, "the role "+roleName(need.least), settingMember)
		default:
			p.role(need.name, "the token's user", role, need.least)
		}
	}
	if project.Archived && (n.Release || n.Assets || n.Note || n.Push || n.Deploy || n.Request || n.Branch != "") {
		p.missing("", "a project that may be written to: it is archived, so this", settingArchived)
	}
	if n.Release && project.ReleasesAccessLevel == api.DisabledAccessControl {
		p.missing("release", "releases in the project, which are turned off:", settingReleases)
	}
	if n.Assets && (project.PackageRegistryAccessLevel == api.DisabledAccessControl) {
		p.missing("assets", "the package registry of the project, which is turned off:", settingPackages)
	}
	if n.Branch != "" {
		if err := p.protectedBranch(ctx, who, role); err != nil {
			return err
		}
	}
	if n.Tag == "" || p.has("release") {
		return nil
	}
	return p.protectedTag(ctx, who, role)
}

// roleIn is the role of the token's user. GitLab tells it with the project for
// members of the project and of its groups; members by other ways are asked
// for.
func (p *preflight) roleIn(ctx context.Context, who identity, project *api.Project) (role api.AccessLevelValue, known bool, err error) {
	if access := project.Permissions; access != nil {
		if access.ProjectAccess != nil {
			role = access.ProjectAccess.AccessLevel
		}
		if access.GroupAccess != nil {
			role = max(role, access.GroupAccess.AccessLevel)
		}
	}
	if role > 0 || who.user == 0 {
		return role, role > 0, nil
	}
	member, _, err := p.c.api.ProjectMembers.GetInheritedProjectMember(p.c.project, who.user, api.WithContext(ctx))
	err = p.c.failed("read the role of the token's user", err)
	switch status(err) {
	case http.StatusNotFound:
		return 0, true, nil
	case http.StatusForbidden:
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	return member.AccessLevel, true, nil
}

// protectedTag reads who may create the tag. Only a Maintainer may read that.
// Of all rules that match, one that lets the user in is enough.
// Source: doc/user/project/protected_tags.md.
func (p *preflight) protectedTag(ctx context.Context, who identity, role api.AccessLevelValue) error {
	options := &api.ListProtectedTagsOptions{}
	options.PerPage = 100
	rules, err := api.ScanAndCollect(func(o api.PaginationOptionFunc) ([]*api.ProtectedTag, *api.Response, error) {
		return p.c.api.ProtectedTags.ListProtectedTags(p.c.project, options, o, api.WithContext(ctx))
	})
	right := "creating tag " + p.needs.Tag
	err = p.c.failed("read the protected tags", err)
	switch status(err) {
	case http.StatusForbidden, http.StatusNotFound, http.StatusUnauthorized:
		p.cannotKnow("tag", right, settingProtectedTags)
		return nil
	}
	if err != nil {
		return err
	}
	protected, allowed, maybe := false, false, false
	for _, rule := range rules {
		if !wildcard(rule.Name, p.needs.Tag) {
			continue
		}
		protected = true
		for _, level := range rule.CreateAccessLevels {
			switch {
			case level.UserID != 0:
				allowed = allowed || level.UserID == who.user
			case level.GroupID != 0:
				maybe = true // who is in the group is not looked up
			default:
				allowed = allowed || (level.AccessLevel > api.NoPermissions && role >= level.AccessLevel)
			}
		}
	}
	switch {
	case !protected || allowed:
	case maybe:
		p.cannotKnow("tag", right, settingProtectedTags)
	default:
		p.missing("tag", right, settingProtectedTags)
	}
	return nil
}

// wildcard matches GitLab's patterns, in which * is any text.
func wildcard(pattern, s string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, head)
	if !ok {
		return false
	}
	for i := 0; i <= len(s); i++ {
		if wildcard(rest, s[i:]) {
			return true
		}
	}
	return false
}

// random is a text that nobody else has.
func random() string { return strings.ToLower(rand.Text()) }

func messageOf(err error) string {
	var answer *APIError
	if errors.As(err, &answer) {
		return answer.Message
	}
	return ""
}
