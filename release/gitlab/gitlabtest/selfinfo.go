package gitlabtest

import (
	"net/http"
	"path"
	"strings"
)

func (c *call) getVersion() {
	if c.user == nil {
		c.fail("anonymous")
		return
	}
	c.answer(http.StatusOK, object{"version": "19.2.0", "revision": "gitlabtest", "enterprise": c.anyPremium()})
}

func (c *call) anyPremium() bool {
	for _, p := range c.d.state.Projects {
		if p.Settings.Premium {
			return true
		}
	}
	return false
}

func (c *call) getUser() {
	o := c.showUser(c.user.Username)
	o["bot"] = c.user.Bot
	c.answer(http.StatusOK, o)
}

// getJob is for job tokens alone; others are no job (404).
func (c *call) getJob() {
	if c.token.Kind != JobToken {
		c.answer(http.StatusNotFound, object{"message": "404 Not found"})
		return
	}
	var p *Project
	for _, q := range c.d.state.Projects {
		if q.ID == c.token.Project {
			p = q
		}
	}
	c.project = p
	head := p.resolve("refs/heads/" + p.DefaultBranch)
	c.answer(http.StatusOK, object{
		"id": c.token.Job, "status": "running", "stage": "release", "name": "release", "ref": p.DefaultBranch, "tag": false,
		"allow_failure": false, "created_at": stamp(p.CreatedAt), "started_at": stamp(p.CreatedAt), "user": c.showUser(c.user.Username),
		"commit":   c.showCommit(head),
		"pipeline": object{"id": c.token.Job, "iid": 1, "project_id": p.ID, "sha": head, "ref": p.DefaultBranch, "status": "running", "source": "push"},
		"web_url":  c.web("jobs", "1"), "project": object{"ci_job_token_scope_enabled": false}, "artifacts": []object{}, "tag_list": []string{},
	})
}

func (c *call) getSelf() {
	if c.token.Kind != AccessToken {
		c.fail("self_kind")
		return
	}
	c.answer(http.StatusOK, object{
		"id": c.token.ID, "name": "a token", "revoked": false, "created_at": epoch, "scopes": append([]string{}, c.token.Scopes...),
		"user_id": c.user.ID, "active": true, "expires_at": "2027-01-01", "last_used_at": nil, "description": nil,
	})
}

func enabled(off bool) string {
	if off {
		return "disabled"
	}
	return "enabled"
}

func (c *call) getProject() {
	p := c.project
	visibility := "private"
	if p.Settings.Public {
		visibility = "public"
	}
	access := object{"project_access": nil, "group_access": nil}
	if role := p.role(c.user); role > NoAccess {
		access["project_access"] = object{"access_level": role, "notification_level": 3}
	}
	c.answer(http.StatusOK, object{
		"id": p.ID, "name": path.Base(p.Path), "path": path.Base(p.Path), "path_with_namespace": p.Path,
		"name_with_namespace": strings.ReplaceAll(p.Path, "/", " / "), "description": nil, "created_at": stamp(p.CreatedAt),
		"default_branch": p.DefaultBranch, "visibility": visibility, "archived": p.Settings.Archived,
		"http_url_to_repo": p.CloneURL(), "web_url": c.d.URL + "/" + p.Path, "empty_repo": false,
		"packages_enabled": !p.Settings.NoPackages, "package_registry_access_level": enabled(p.Settings.NoPackages),
		"releases_access_level": enabled(p.Settings.NoReleases), "repository_access_level": "enabled",
		"merge_requests_access_level": "enabled", "ci_push_repository_for_job_token_allowed": p.Settings.JobTokenPush,
		"permissions": access,
	})
}

func (c *call) getMember() {
	id := c.number("user_id")
	for _, u := range c.d.state.Users {
		if role := c.project.role(u); u.ID == id && role > NoAccess {
			o := c.showUser(u.Username)
			o["access_level"], o["expires_at"] = role, nil
			c.answer(http.StatusOK, o)
			return
		}
	}
	c.fail("member_none")
}

func (c *call) listProtectedTags() { page(c, c.project.ProtectedTags, c.showProtected) }

func (c *call) getProtectedTag() {
	for _, t := range c.project.ProtectedTags {
		if t.Pattern == c.segment["name"] {
			c.answer(http.StatusOK, c.showProtected(t))
			return
		}
	}
	c.fail("protected_none")
}
