package gitlabtest

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// Project makes a private project with an empty bare repository, or returns
// the one at that path.
func (d *Double) Project(path string) (*Project, error) {
	return d.ProjectOver(path, "")
}

// ProjectOver is Project over a bare repository that exists already; repo ""
// makes a new one.
func (d *Double) ProjectOver(path, repo string) (*Project, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.state.find(path); p != nil {
		return p, nil
	}
	p := &Project{ID: d.state.id(), Path: path, DefaultBranch: "main", CreatedAt: d.state.tick(), Members: map[string]Role{}, home: d}
	if err := p.adopt(repo); err != nil {
		return nil, err
	}
	d.state.Projects = append(d.state.Projects, p)
	return p, d.save()
}

// find returns a project by its path or the decimal form of its id.
func (s *state) find(idOrPath string) *Project {
	id, _ := strconv.ParseInt(idOrPath, 10, 64)
	for _, p := range s.Projects {
		if p.Path == idOrPath || p.ID == id {
			return p
		}
	}
	return nil
}

// Dir is the bare repository.
func (p *Project) Dir() string {
	return filepath.Join(p.home.dir, "repos", fmt.Sprintf("%d.git", p.ID))
}

// CloneURL is the address for git over HTTP.
func (p *Project) CloneURL() string { return p.home.URL + "/" + p.Path + ".git" }

// Member gives a user a role; NoAccess takes it away.
func (p *Project) Member(user string, role Role) {
	p.home.edit(func(s *state) {
		s.addUser(user, false)
		p.Members[user] = role
	})
}

// Set changes settings.
func (p *Project) Set(change func(*Settings)) {
	p.home.edit(func(*state) { change(&p.Settings) })
}

// Protect protects tags.
func (p *Project) Protect(tags ...ProtectedTag) {
	p.home.edit(func(*state) { p.ProtectedTags = append(p.ProtectedTags, tags...) })
}

// ProtectPackages makes names of packages that Developers may not push.
func (p *Project) ProtectPackages(names ...string) {
	p.home.edit(func(*state) { p.ProtectedPkgs = append(p.ProtectedPkgs, names...) })
}

// Milestone makes a milestone.
func (p *Project) Milestone(title string) {
	p.home.edit(func(*state) { p.Milestones = append(p.Milestones, title) })
}

// Allow lets the job tokens of another project in.
func (p *Project) Allow(other *Project) {
	p.home.edit(func(*state) { p.Allowlist = append(p.Allowlist, other.ID) })
}

// JobToken makes a running job of a user and returns its token.
func (p *Project) JobToken(user string) string {
	return p.home.addToken(&Token{Kind: JobToken, User: user, Project: p.ID}, "glcbt-")
}

// AccessToken makes a project access token: a bot with a role.
func (p *Project) AccessToken(role Role, scopes ...string) string {
	var bot string
	p.home.edit(func(s *state) {
		bot = fmt.Sprintf("project_%d_bot_%d", p.ID, s.id())
		s.addUser(bot, true)
		p.Members[bot] = role
	})
	return p.home.addToken(&Token{Kind: AccessToken, User: bot, Scopes: scopes}, "glpat-")
}

// role is what a user may in a project; nobody is signed in as nil.
func (p *Project) role(u *User) Role {
	if u == nil {
		return NoAccess
	}
	return p.Members[u.Username]
}

// mayCreateTag is GitLab's rule for protected tags: of all rules that match,
// one that lets the user in is enough.
// Source: app/models/concerns/protected_ref.rb.
func (p *Project) mayCreateTag(u *User, tag string) bool { return p.may(u, p.ProtectedTags, tag) }

func (p *Project) may(u *User, rules []ProtectedTag, name string) bool {
	protected := false
	for _, rule := range rules {
		if !wildcard(rule.Pattern, name) {
			continue
		}
		protected = true
		for _, level := range rule.Levels {
			if level > NoAccess && p.role(u) >= level {
				return true
			}
		}
		for _, user := range rule.Users {
			if u != nil && user == u.Username {
				return true
			}
		}
	}
	return !protected
}

// wildcard matches a pattern in which * is any text.
func wildcard(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(s, part)
		if at < 0 {
			return false
		}
		s = s[at+len(part):]
	}
	return true
}
