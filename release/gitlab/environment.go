package gitlab

import (
	"errors"
	"net/url"
	"strings"
)

// FromEnvironment reads what a CI job has in its variables. Elsewhere
// (GITLAB_CI is not true) server and project come from the URL of a git
// remote, and CI_SERVER_URL tells where a server lies below a path.
//
// The token is PIPELINE_GITLAB_TOKEN, an access token, and without that
// CI_JOB_TOKEN. Other variables with tokens are not looked at: a job that has
// several must not be guessed about.
func FromEnvironment(getenv func(string) string, remote string) (Config, error) {
	c := Config{Token: NewToken(KindAccess, getenv("PIPELINE_GITLAB_TOKEN"))}
	if c.Token.Kind() == "" {
		c.Token = NewToken(KindJob, getenv("CI_JOB_TOKEN"))
	}
	if c.Token.Kind() == "" {
		return Config{}, ErrNoToken
	}
	server := strings.TrimRight(getenv("CI_SERVER_URL"), "/")
	if server == "" {
		server = strings.TrimSuffix(strings.TrimRight(getenv("CI_API_V4_URL"), "/"), "/api/v4")
	}
	if getenv("GITLAB_CI") == "true" {
		c.Server, c.Project = server, getenv("CI_PROJECT_PATH")
		if c.Project == "" {
			c.Project = getenv("CI_PROJECT_ID")
		}
		if c.Server == "" || c.Project == "" {
			return Config{}, errors.New("GitLab: the job has no CI_SERVER_URL or no CI_PROJECT_PATH; pass both into the container that runs this")
		}
		return c, nil
	}
	var err error
	if c.Server, c.Project, err = ParseRemote(remote, server); err != nil {
		return Config{}, err
	}
	return c, nil
}

// ParseRemote returns server and project of the URL of a git remote: https,
// ssh, or the short form host:path. Credentials in it are dropped, so is the
// port of ssh. server tells where GitLab lies when that is below a path, or
// over http, which an ssh remote cannot tell; "" is none.
func ParseRemote(remote, server string) (base, project string, err error) {
	remote = strings.TrimSpace(remote)
	host, path, scheme := splitRemote(remote)
	path = strings.TrimSuffix(strings.Trim(path, "/"), ".git")
	if host == "" || !strings.Contains(path, "/") || strings.ContainsAny(path, "\x00 \n\\?#") || strings.Contains(path, "//") {
		return "", "", errors.New("GitLab: the git remote is none of a GitLab project; expected one like https://gitlab.example.com/group/project.git or git@gitlab.example.com:group/project.git")
	}
	base = scheme + "://" + host
	s, err := url.Parse(server)
	if server == "" || err != nil || s.Hostname() != hostname(host) {
		return base, path, nil
	}
	if below := strings.Trim(s.Path, "/"); below != "" && scheme == schemeOf(remote) {
		path = strings.TrimPrefix(path, below+"/")
	}
	return strings.TrimRight(server, "/"), path, nil
}

// splitRemote takes a remote apart. The scheme is the one for the API.
func splitRemote(remote string) (host, path, scheme string) {
	if strings.Contains(remote, "://") {
		u, err := url.Parse(remote)
		if err != nil {
			return "", "", ""
		}
		switch u.Scheme {
		case "https", "http":
			return u.Host, u.Path, u.Scheme
		case "ssh", "git+ssh", "ssh+git":
			return bracketed(u.Hostname()), u.Path, "https"
		}
		return "", "", ""
	}
	// scp's form has no scheme; a slash before the colon makes it a local path.
	at, path, ok := strings.Cut(remote, ":")
	if !ok || strings.Contains(at, "/") {
		return "", "", ""
	}
	if i := strings.LastIndex(at, "@"); i >= 0 {
		at = at[i+1:]
	}
	if u, err := url.Parse("https://" + at); err != nil || u.Host != at {
		return "", "", ""
	}
	return at, path, "https"
}

func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

func hostname(host string) string {
	u, err := url.Parse("https://" + host)
	if err != nil {
		return host
	}
	return u.Hostname()
}

// schemeOf is the scheme of a remote over HTTP, "" for the others, whose paths
// do not begin with the path of the server.
func schemeOf(remote string) string {
	scheme, _, _ := strings.Cut(remote, "://")
	if scheme == "https" || scheme == "http" {
		return scheme
	}
	return ""
}
