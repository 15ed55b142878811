package gitlabtest

import (
	"fmt"
	"net/http"
	"slices"
)

// refresh sees what happened to the branches since the last look, as GitLab
// does after a push: a new version, and approvals that go away late.
func (c *call) refresh(m *mergeRequest) {
	if m.State != "opened" {
		return
	}
	p := c.project
	head := p.resolve("refs/heads/" + m.Source)
	last := &m.Versions[len(m.Versions)-1]
	if head == "" || head == last.Head {
		return
	}
	m.Versions = append(m.Versions, c.newVersion(m.Source, m.Target))
	m.Syncing = m.SlowReset
	if m.Syncing == 0 {
		c.reset(m)
	}
	c.write = true
}

// settle lets one look pass, after which a merge request may have been checked
// and the approvals of an older version may be gone.
func (c *call) settle(m *mergeRequest) {
	switch {
	case m.Syncing > 1:
		m.Syncing--
	case m.Syncing == 1:
		m.Syncing = 0
		c.reset(m)
	case m.Checking > 0:
		m.Checking--
	default:
		return
	}
	c.write = true
}

func (c *call) reset(m *mergeRequest) {
	if c.project.Settings.KeepApprovals {
		return
	}
	last := m.Versions[len(m.Versions)-1]
	m.Approvals = slices.DeleteFunc(m.Approvals, func(a approval) bool { return a.At.Before(last.CreatedAt) })
}

func (c *call) newVersion(source, target string) version {
	p := c.project
	head, base := p.resolve("refs/heads/"+source), p.resolve("refs/heads/"+target)
	if common, err := p.git(nil, "", "merge-base", base, head); err == nil {
		base = common
	}
	return version{ID: c.d.state.id(), Head: head, Base: base, Commits: p.commits(base, head), CreatedAt: c.d.state.tick()}
}

// status is the detailed merge status, of which these are the ones that a
// client of ours meets. Source: doc/api/merge_requests.md.
func (c *call) detailed(m *mergeRequest) string {
	switch {
	case m.State != "opened":
		return "not_open"
	case m.Syncing > 0:
		return "approvals_syncing"
	case m.Checking > 0:
		return "checking"
	case m.Draft:
		return "draft_status"
	case c.conflicts(m):
		return "conflict"
	case c.left(m) > 0:
		return "not_approved"
	default:
		return "mergeable"
	}
}

// left is how many approvals a Premium project still wants.
func (c *call) left(m *mergeRequest) int {
	if !c.project.Settings.Premium {
		return 0
	}
	return max(0, c.project.Settings.ApprovalsRequired-len(m.Approvals))
}

func (c *call) showRequest(m *mergeRequest) object {
	last := m.Versions[len(m.Versions)-1]
	o := object{
		"id": m.ID, "iid": m.IID, "project_id": c.project.ID, "title": m.Title, "description": m.Description, "state": m.State,
		"created_at": stamp(m.CreatedAt), "updated_at": stamp(last.CreatedAt), "merged_by": nil, "merge_user": nil, "merged_at": nil,
		"closed_by": nil, "closed_at": nil, "target_branch": m.Target, "source_branch": m.Source, "user_notes_count": len(m.Notes),
		"upvotes": 0, "downvotes": 0, "author": c.showUser(m.Author), "assignees": []object{}, "assignee": nil, "reviewers": []object{},
		"source_project_id": c.project.ID, "target_project_id": c.project.ID, "labels": append([]string{}, m.Labels...), "draft": m.Draft, "imported": false,
		"milestone": nil, "merge_when_pipeline_succeeds": false, "merge_status": "unchecked", "detailed_merge_status": c.detailed(m),
		"sha": last.Head, "merge_commit_sha": nil, "squash_commit_sha": nil, "web_url": c.web("merge_requests", fmt.Sprint(m.IID)),
		"squash": false, "has_conflicts": false, "blocking_discussions_resolved": true,
	}
	if m.Fork {
		o["source_project_id"] = c.project.ID + 1
	}
	if m.MergedAt != nil {
		o["merged_at"], o["merged_by"], o["merge_user"] = stamp(*m.MergedAt), c.showUser(m.MergedBy), c.showUser(m.MergedBy)
		o["merge_commit_sha"] = m.MergeCommit
	}
	return o
}

// theRequest returns the merge request of the path, fresh; nil after an answer.
func (c *call) theRequest() *mergeRequest {
	iid := max(c.number("merge_request_iid"), c.number("noteable_id"))
	m := c.project.request(iid)
	if m == nil {
		c.fail("request_none")
		return nil
	}
	c.refresh(m)
	return m
}

func (c *call) getRequest() {
	m := c.theRequest()
	if m == nil {
		return
	}
	c.answer(http.StatusOK, c.showRequest(m))
	c.settle(m)
}

func (c *call) listRequests() {
	found := slices.DeleteFunc(slices.Clone(c.project.Requests), func(m *mergeRequest) bool {
		fits := func(param, value string) bool {
			return c.str(param) == "" || c.str(param) == "all" || c.str(param) == value
		}
		return !fits("state", m.State) || !fits("source_branch", m.Source) || !fits("target_branch", m.Target)
	})
	slices.Reverse(found)
	page(c, found, c.showRequest)
}

// listCommitRequests finds the merge requests that brought a commit: those
// that have it, and the one that made it by merging.
func (c *call) listCommitRequests() {
	id := c.project.resolve(c.segment["sha"])
	if id == "" {
		c.fail("commit_none")
		return
	}
	var found []*mergeRequest
	for _, m := range c.project.Requests {
		c.refresh(m)
		if m.MergeCommit == id || slices.Contains(m.Versions[len(m.Versions)-1].Commits, id) {
			found = append(found, m)
		}
	}
	page(c, found, c.showRequest)
}

func (c *call) postRequest() {
	if !c.need("title", "source_branch", "target_branch") {
		return
	}
	source, target := c.str("source_branch"), c.str("target_branch")
	for _, m := range c.project.Requests {
		if m.State == "opened" && m.Source == source && m.Target == target && !m.Fork {
			c.fail("request_exists", m.IID)
			return
		}
	}
	for kind, branch := range map[string]string{"Source": source, "Target": target} {
		if c.project.resolve("refs/heads/"+branch) == "" {
			c.fail("request_branch", kind)
			return
		}
	}
	m := c.openRequest(c.user.Username, c.str("title"), source, target)
	m.Description, m.Labels = c.str("description"), c.labels("labels")
	c.changed(http.StatusCreated, c.showRequest(m))
}

func (c *call) openRequest(author, title, source, target string) *mergeRequest {
	m := &mergeRequest{
		ID: c.d.state.id(), IID: int64(len(c.project.Requests) + 1), Title: title, State: "opened", Author: author,
		Source: source, Target: target, CreatedAt: c.d.state.tick(), Versions: []version{c.newVersion(source, target)},
	}
	c.project.Requests = append(c.project.Requests, m)
	return m
}

func (c *call) listRequestCommits() {
	if m := c.theRequest(); m != nil {
		page(c, m.Versions[len(m.Versions)-1].Commits, c.showCommit)
	}
}

func (c *call) listVersions() {
	m := c.theRequest()
	if m == nil {
		return
	}
	versions := slices.Clone(m.Versions)
	slices.Reverse(versions)
	page(c, versions, func(v version) object {
		o := object{
			"id": v.ID, "head_commit_sha": v.Head, "base_commit_sha": v.Base, "start_commit_sha": v.Base, "created_at": stamp(v.CreatedAt),
			"merge_request_id": m.ID, "state": "collected", "real_size": "1", "patch_id_sha": v.Head,
		}
		if m.Syncing > 0 {
			o["patch_id_sha"] = nil
		}
		return o
	})
}
