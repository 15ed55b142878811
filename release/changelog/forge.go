package changelog

import (
	"fmt"
	"net/url"
	"strings"
)

// Forge makes links to a project's pages. The zero value makes none: commits
// are then short hashes, and references stay text.
type Forge struct {
	server  string // without a slash at its end
	project string // "group/project"
}

// GitLab makes links to a project on a GitLab server: server is its address
// ("https://gitlab.example.com", as CI_SERVER_URL has it; credentials in it are
// dropped), project the path of the project with its groups (CI_PROJECT_PATH).
func GitLab(server, project string) (Forge, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return Forge{}, fmt.Errorf("links to GitLab: the server's address must be like https://gitlab.example.com")
	}
	if project = strings.Trim(project, "/"); !isProject(project) {
		return Forge{}, fmt.Errorf("links to GitLab: %q is no project path like group/project", project)
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return Forge{server: strings.TrimRight(u.String(), "/"), project: project}, nil
}

func (f Forge) none() bool { return f.server == "" }

// url is the address of a page of a project; "" is the own one.
func (f Forge) url(project, page string) string {
	if project == "" {
		project = f.project
	}
	return f.server + "/" + project + "/-/" + page
}

// commit is the address of a commit by its hash, which has hex digits only.
func (f Forge) commit(hash string) string { return f.url("", "commit/"+hash) }

func (f Forge) tag(name string) string { return f.url("", "tags/"+pathEscape(name)) }

func (f Forge) compare(from, to string) string {
	return f.url("", "compare/"+pathEscape(from)+"..."+pathEscape(to))
}

// reference is the address of a merge request or an issue.
func (f Forge) reference(r reference) string {
	page := "issues/"
	if r.sign == '!' {
		page = "merge_requests/"
	}
	return f.url(r.project, page+r.number)
}

// pathEscape keeps the slashes of tag names, as GitLab's own pages do.
func pathEscape(name string) string {
	return strings.ReplaceAll(url.PathEscape(name), "%2F", "/")
}

// isProject reports whether s is a path of group and project as GitLab allows
// them: docs.gitlab.com/user/reserved_names.
func isProject(s string) bool {
	parts := strings.Split(s, "/")
	for _, part := range parts {
		if part == "" || !isWord(part[0]) || strings.IndexFunc(part, isNoPath) >= 0 {
			return false
		}
	}
	return len(parts) > 1
}

func isNoPath(r rune) bool { return r >= 0x80 || !isWord(byte(r)) && r != '.' && r != '-' }

// isWord reports whether b is an ASCII letter, a digit or an underscore.
func isWord(b byte) bool { return isAlnum(b) || b == '_' }

func isAlnum(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || isDigit(b)
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }
