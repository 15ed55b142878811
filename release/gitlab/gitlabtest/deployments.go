package gitlabtest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// environment is a place to deploy to.
type environment struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name"`
	URL       string    `json:"url,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

type deployment struct {
	ID          int64     `json:"id"`
	IID         int64     `json:"iid"`
	Environment string    `json:"environment"`
	SHA         string    `json:"sha"`
	Ref         string    `json:"ref"`
	Tag         bool      `json:"tag,omitempty"`
	Status      string    `json:"status"`
	User        string    `json:"user"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

func (p *Project) environment(name string) *environment {
	for _, e := range p.Environments {
		if e.Name == name {
			return e
		}
	}
	return nil
}

// showEnvironment has the keys of lib/api/entities/environment.rb.
func (c *call) showEnvironment(e *environment) object {
	o := object{
		"id": e.ID, "name": e.Name, "slug": strings.ReplaceAll(e.Name, "/", "-"), "external_url": nil, "created_at": stamp(e.CreatedAt),
		"updated_at": stamp(e.UpdatedAt), "tier": "other", "state": "available", "description": "", "auto_stop_at": nil,
		"kubernetes_namespace": nil, "flux_resource_path": nil, "auto_stop_setting": "always",
	}
	if e.URL != "" {
		o["external_url"] = e.URL
	}
	return o
}

func (c *call) showDeployment(d *deployment) object {
	return object{
		"id": d.ID, "iid": d.IID, "ref": d.Ref, "sha": d.SHA, "status": d.Status, "created_at": stamp(d.CreatedAt),
		"updated_at": stamp(d.UpdatedAt), "user": c.showUser(d.User), "deployable": nil,
		"environment": c.showEnvironment(c.project.environment(d.Environment)),
	}
}

func (c *call) listDeployments() {
	found := slices.DeleteFunc(slices.Clone(c.project.Deployments), func(d *deployment) bool {
		environment, status := c.str("environment"), c.str("status")
		return environment != "" && environment != d.Environment || status != "" && status != d.Status
	})
	if c.str("sort") == "desc" {
		slices.Reverse(found)
	}
	page(c, found, c.showDeployment)
}

// postDeployment makes the environment on the way, before it looks at commit and
// ref. Source: lib/api/deployments.rb [mem].
func (c *call) postDeployment() {
	if !c.need("environment", "sha", "ref", "tag", "status") {
		return
	}
	if !slices.Contains([]string{"running", "success", "failed", "canceled"}, c.str("status")) {
		c.fail("deployment_status")
		return
	}
	p, name := c.project, c.str("environment")
	now := c.d.state.tick()
	if p.environment(name) == nil {
		p.Environments = append(p.Environments, &environment{ID: c.d.state.id(), Name: name, CreatedAt: now, UpdatedAt: now})
		c.write = true
	}
	kind := "refs/heads/"
	if c.str("tag") == "true" {
		kind = "refs/tags/"
	}
	switch {
	case p.resolve(c.str("sha")) == "":
		c.fail("deployment_invalid", "sha: The commit does not exist")
		return
	case p.resolve(kind+c.str("ref")) == "":
		c.fail("deployment_invalid", "ref: The branch or tag does not exist")
		return
	}
	d := &deployment{
		ID: c.d.state.id(), IID: int64(len(p.Deployments) + 1), Environment: name, SHA: c.str("sha"), Ref: c.str("ref"),
		Tag: c.str("tag") == "true", Status: c.str("status"), User: c.user.Username, CreatedAt: now, UpdatedAt: now,
	}
	p.Deployments = append(p.Deployments, d)
	c.changed(http.StatusCreated, c.showDeployment(d))
}

func (c *call) theDeployment() *deployment {
	for _, d := range c.project.Deployments {
		if d.ID == c.number("deployment_id") {
			return d
		}
	}
	c.fail("deployment_none")
	return nil
}

func (c *call) getDeployment() {
	if d := c.theDeployment(); d != nil {
		c.answer(http.StatusOK, c.showDeployment(d))
	}
}

func (c *call) putDeployment() {
	d := c.theDeployment()
	if d == nil || !c.need("status") {
		return
	}
	if d.Status != "running" && d.Status != "created" {
		c.fail("deployment_transition", c.str("status"))
		return
	}
	d.Status, d.UpdatedAt = c.str("status"), c.d.state.tick()
	c.changed(http.StatusOK, c.showDeployment(d))
}

func (c *call) listEnvironments() {
	found := slices.DeleteFunc(slices.Clone(c.project.Environments), func(e *environment) bool {
		return c.str("name") != "" && c.str("name") != e.Name
	})
	page(c, found, c.showEnvironment)
}

func (c *call) putEnvironment() {
	for _, e := range c.project.Environments {
		if e.ID != c.number("environment_id") {
			continue
		}
		if _, given := c.params["external_url"]; given {
			e.URL, e.UpdatedAt = c.str("external_url"), c.d.state.tick()
		}
		c.changed(http.StatusOK, c.showEnvironment(e))
		return
	}
	c.fail("environment_none")
}

// putRequest changes what a client of ours does. Source: lib/api/merge_requests.rb.
func (c *call) putRequest() {
	m := c.theRequest()
	if m == nil {
		return
	}
	if target := c.str("target_branch"); target != "" && target != m.Target {
		for _, other := range c.project.Requests {
			if other.State == "opened" && other.Source == m.Source && other.Target == target && other.Fork == m.Fork {
				c.fail("request_target", other.IID)
				return
			}
		}
		m.Target = target
	}
	if title := c.str("title"); title != "" {
		m.Title = title
	}
	if _, given := c.params["description"]; given {
		m.Description = c.str("description")
	}
	if _, given := c.params["labels"]; given {
		m.Labels = c.labels("labels")
	}
	m.Labels = append(m.Labels, c.labels("add_labels")...)
	slices.Sort(m.Labels)
	m.Labels = slices.Compact(m.Labels)
	c.changed(http.StatusOK, c.showRequest(m))
}

// labels reads names between commas.
func (c *call) labels(param string) []string {
	var labels []string
	for name := range strings.SplitSeq(c.str(param), ",") {
		if name = strings.TrimSpace(name); name != "" {
			labels = append(labels, name)
		}
	}
	slices.Sort(labels)
	return labels
}

// Fork opens a merge request from a branch of that name in another project.
func (p *Project) Fork(author, title, source, target string) int64 {
	iid := p.Request(author, title, source, target)
	p.onRequest(iid, func(_ *state, _ *call, m *mergeRequest) { m.Fork = true })
	return iid
}

// Deploy records a deployment as somebody else would.
func (p *Project) Deploy(name, sha, ref, status, user string) {
	p.home.edit(func(s *state) {
		s.addUser(user, false)
		now := s.tick()
		if p.environment(name) == nil {
			p.Environments = append(p.Environments, &environment{ID: s.id(), Name: name, CreatedAt: now, UpdatedAt: now})
		}
		p.Deployments = append(p.Deployments, &deployment{
			ID: s.id(), IID: int64(len(p.Deployments) + 1), Environment: name, SHA: sha, Ref: ref, Status: status, User: user, CreatedAt: now, UpdatedAt: now,
		})
	})
}

// dumpDeployments lists the deployments in their order, with the address of
// their environments.
func (p *Project) dumpDeployments() []object {
	list := []object{}
	for _, d := range p.Deployments {
		list = append(list, object{
			"environment": d.Environment, "url": p.environment(d.Environment).URL, "sha": d.SHA, "ref": d.Ref, "tag": d.Tag,
			"status": d.Status, "user": d.User,
		})
	}
	return list
}
