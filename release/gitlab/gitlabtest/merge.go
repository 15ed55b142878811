package gitlabtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// mergedTree is the tree of both branches together, "" where they conflict.
func (c *call) mergedTree(m *mergeRequest) string {
	head := m.Versions[len(m.Versions)-1].Head
	out, err := c.project.git(nil, "", "merge-tree", "--write-tree", "refs/heads/"+m.Target, head)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

func (c *call) conflicts(m *mergeRequest) bool { return c.mergedTree(m) == "" }

// putMerge keeps GitLab's order of checks: 401, 405, 422, 409, 200.
// Source: lib/api/merge_requests.rb.
func (c *call) putMerge() {
	m := c.theRequest()
	if m == nil {
		return
	}
	status, head := c.detailed(m), m.Versions[len(m.Versions)-1].Head
	switch {
	case c.project.role(c.user) < Developer:
		c.fail("merge_access")
	case status != "mergeable" && status != "conflict":
		c.fail("merge_not_now")
	case status == "conflict":
		c.fail("merge_conflict")
	case c.str("sha") != "" && c.str("sha") != head:
		c.fail("merge_sha", head)
	default:
		if err := c.merge(m, head); err != nil {
			panic(err)
		}
		c.changed(http.StatusOK, c.showRequest(m))
	}
}

func (c *call) merge(m *mergeRequest, head string) error {
	now, p := c.d.state.tick(), c.project
	target := p.resolve("refs/heads/" + m.Target)
	message := fmt.Sprintf("Merge branch '%s' into '%s'\n\n%s\n\nSee merge request %s!%d", m.Source, m.Target, m.Title, p.Path, m.IID)
	date := fmt.Sprintf("%d +0000", now.Unix())
	name, mail := c.user.Username, c.user.Username+"@example.com"
	env := []string{
		"GIT_AUTHOR_NAME=" + name, "GIT_AUTHOR_EMAIL=" + mail, "GIT_AUTHOR_DATE=" + date,
		"GIT_COMMITTER_NAME=" + name, "GIT_COMMITTER_EMAIL=" + mail, "GIT_COMMITTER_DATE=" + date,
	}
	commit, err := p.git(env, message, "commit-tree", c.mergedTree(m), "-p", target, "-p", head)
	if err != nil {
		return err
	}
	if _, err := p.git(nil, "", "update-ref", "refs/heads/"+m.Target, commit, target); err != nil {
		return err
	}
	m.State, m.MergedAt, m.MergedBy, m.MergeCommit = "merged", &now, name, commit
	return nil
}

// showApprovals has the keys of the Free tier; Premium adds what is required.
// Source: lib/api/entities/merge_request_approvals.rb.
func (c *call) showApprovals(m *mergeRequest) object {
	by := []object{}
	for _, a := range m.Approvals {
		o := object{"user": c.showUser(a.User), "approved_at": stamp(a.At)}
		if c.project.Settings.NoApprovalTimes {
			delete(o, "approved_at")
		}
		by = append(by, o)
	}
	o := object{
		"user_has_approved": c.user != nil && m.approvedBy(c.user.Username), "user_can_approve": c.mayApprove(m),
		"approved": len(by) > 0, "approved_by": by,
	}
	if s := c.project.Settings; s.Premium {
		o["id"], o["iid"], o["project_id"], o["title"], o["state"] = m.ID, m.IID, c.project.ID, m.Title, m.State
		o["approvals_required"], o["approvals_left"] = s.ApprovalsRequired, c.left(m)
		o["approved"] = c.left(m) == 0
	}
	return o
}

func (m *mergeRequest) approvedBy(user string) bool {
	return slices.ContainsFunc(m.Approvals, func(a approval) bool { return a.User == user })
}

func (c *call) mayApprove(m *mergeRequest) bool {
	return c.user != nil && c.project.role(c.user) >= Developer && m.State == "opened" && !m.approvedBy(c.user.Username)
}

func (c *call) getApprovals() {
	m := c.theRequest()
	if m == nil {
		return
	}
	c.answer(http.StatusOK, c.showApprovals(m))
	c.settle(m)
}

func (c *call) postApprove() {
	m := c.theRequest()
	if m == nil {
		return
	}
	head := m.Versions[len(m.Versions)-1].Head
	switch {
	case c.str("sha") != "" && c.str("sha") != head:
		c.fail("approve_sha", head)
	case !c.mayApprove(m):
		c.fail("approve_own")
	default:
		m.Approvals = append(m.Approvals, approval{User: c.user.Username, At: c.d.state.tick()})
		c.changed(http.StatusCreated, c.showApprovals(m))
	}
}

func (c *call) postUnapprove() {
	m := c.theRequest()
	if m == nil {
		return
	}
	if !m.approvedBy(c.user.Username) {
		c.fail("unapprove_none")
		return
	}
	m.Approvals = slices.DeleteFunc(m.Approvals, func(a approval) bool { return a.User == c.user.Username })
	c.changed(http.StatusCreated, c.showApprovals(m))
}

func (c *call) showNote(m *mergeRequest, n *note) object {
	return object{
		"id": n.ID, "type": nil, "body": n.Body, "attachment": nil, "author": c.showUser(n.Author), "created_at": stamp(n.CreatedAt),
		"updated_at": stamp(n.UpdatedAt), "system": false, "noteable_id": m.ID, "noteable_iid": m.IID, "noteable_type": "MergeRequest",
		"resolvable": false, "confidential": false, "internal": false,
	}
}

func (c *call) listNotes() {
	m := c.theRequest()
	if m == nil {
		return
	}
	notes := slices.Clone(m.Notes)
	slices.Reverse(notes)
	page(c, notes, func(n *note) object { return c.showNote(m, n) })
}

func (c *call) theNote() (*mergeRequest, *note) {
	m := c.theRequest()
	if m == nil {
		return nil, nil
	}
	for _, n := range m.Notes {
		if n.ID == c.number("note_id") {
			return m, n
		}
	}
	c.fail("note_none")
	return m, nil
}

func (c *call) getNote() {
	if m, n := c.theNote(); n != nil {
		c.answer(http.StatusOK, c.showNote(m, n))
	}
}

func (c *call) postNote() {
	m := c.theRequest()
	if m == nil || !c.need("body") {
		return
	}
	now := c.d.state.tick()
	n := &note{ID: c.d.state.id(), Author: c.user.Username, Body: c.str("body"), CreatedAt: now, UpdatedAt: now}
	m.Notes = append(m.Notes, n)
	c.changed(http.StatusCreated, c.showNote(m, n))
}

func (c *call) putNote() {
	m, n := c.theNote()
	if n == nil || !c.need("body") {
		return
	}
	if n.Author != c.user.Username && c.project.role(c.user) < Maintainer {
		c.fail("note_foreign")
		return
	}
	n.Body, n.UpdatedAt = c.str("body"), c.d.state.tick()
	c.changed(http.StatusOK, c.showNote(m, n))
}

func (c *call) deleteNote() {
	m, n := c.theNote()
	if n == nil {
		return
	}
	if n.Author != c.user.Username && c.project.role(c.user) < Maintainer {
		c.fail("note_foreign")
		return
	}
	m.Notes = slices.DeleteFunc(m.Notes, func(other *note) bool { return other == n })
	c.changed(http.StatusNoContent, nil)
}
