package gitlabtest

import (
	"fmt"
	"slices"
)

// Request opens a merge request as its author and returns its number.
func (p *Project) Request(author, title, source, target string) int64 {
	var iid int64
	p.home.edit(func(s *state) {
		s.addUser(author, false)
		c := &call{d: p.home, project: p}
		iid = c.openRequest(author, title, source, target).IID
	})
	return iid
}

// Approve approves a merge request as somebody.
func (p *Project) Approve(iid int64, user string) {
	p.onRequest(iid, func(s *state, _ *call, m *mergeRequest) {
		s.addUser(user, false)
		m.Approvals = append(m.Approvals, approval{User: user, At: s.tick()})
	})
}

// Merge merges a merge request as somebody and returns the merge commit.
func (p *Project) Merge(iid int64, user string) (string, error) {
	var commit string
	var err error
	p.onRequest(iid, func(s *state, c *call, m *mergeRequest) {
		c.user = s.addUser(user, false)
		err = c.merge(m, m.Versions[len(m.Versions)-1].Head)
		commit = m.MergeCommit
	})
	return commit, err
}

// Checking makes that many looks at a merge request find it still checking.
func (p *Project) Checking(iid int64, looks int) {
	p.onRequest(iid, func(_ *state, _ *call, m *mergeRequest) { m.Checking = looks })
}

// SlowReset makes approvals outlive each push to a merge request for that many
// looks.
func (p *Project) SlowReset(iid int64, looks int) {
	p.onRequest(iid, func(_ *state, _ *call, m *mergeRequest) { m.SlowReset = looks })
}

// Draft marks a merge request as one that may not be merged.
func (p *Project) Draft(iid int64) {
	p.onRequest(iid, func(_ *state, _ *call, m *mergeRequest) { m.Draft = true })
}

func (p *Project) onRequest(iid int64, change func(*state, *call, *mergeRequest)) {
	p.home.edit(func(s *state) {
		m := p.request(iid)
		if m == nil {
			panic(fmt.Sprintf("gitlabtest: %s has no merge request !%d", p.Path, iid))
		}
		c := &call{d: p.home, project: p}
		c.refresh(m)
		change(s, c, m)
	})
}

// EditNotes changes the description of a release as a person would.
func (p *Project) EditNotes(tag, description string) {
	p.home.edit(func(*state) { p.release(tag).Description = description })
}

// Release makes a release of a tag that exists as a person would.
func (p *Project) Release(tag, name, description, author string) {
	p.home.edit(func(s *state) {
		s.addUser(author, false)
		now := s.tick()
		p.Releases = append(p.Releases, &release{
			Tag: tag, Commit: p.tag(tag).Commit, Name: name, Description: description, Author: author, CreatedAt: now, ReleasedAt: now,
		})
	})
}

// Upload adds a file to a generic package as somebody else would.
func (p *Project) Upload(name, version, file, content string) {
	p.home.edit(func(*state) {
		c := &call{d: p.home, project: p, body: []byte(content), params: object{}, header: map[string][]string{}, segment: map[string]string{
			"package_name": name, "package_version": version, "file_name": file,
		}}
		c.storeGeneric(p.pkg(name, version))
	})
}

// Files lists the names of the files of a package, in order of their upload.
func (p *Project) Files(name, version string) []string {
	p.home.mu.Lock()
	defer p.home.mu.Unlock()
	var names []string
	if k := p.pkg(name, version); k != nil {
		for _, f := range k.Files {
			names = append(names, f.Name)
		}
	}
	return slices.Clip(names)
}

// RoleOf is the role of a user.
func (p *Project) RoleOf(user string) Role {
	p.home.mu.Lock()
	defer p.home.mu.Unlock()
	return p.Members[user]
}

// HasToken tells whether a token of that value exists.
func (d *Double) HasToken(value string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state.token(value) != nil
}

// Note writes a note to a merge request as somebody.
func (p *Project) Note(iid int64, author, body string) {
	p.onRequest(iid, func(s *state, _ *call, m *mergeRequest) {
		s.addUser(author, false)
		now := s.tick()
		m.Notes = append(m.Notes, &note{ID: s.id(), Author: author, Body: body, CreatedAt: now, UpdatedAt: now})
	})
}
