package gitlabtest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/cgi"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// updateHook refuses the references that GITLABTEST_REFUSE has patterns for.
// Git runs it once for each reference of a push.
const updateHook = `#!/bin/sh
test "${GITLABTEST_REFUSE-}" || exit 0
printf '%s\n' "$GITLABTEST_REFUSE" | while IFS= read -r pattern; do
  case "$1" in $pattern) exit 9;; esac
done
test $? = 9 || exit 0
case "$1" in
refs/heads/*) echo "GitLab: You are not allowed to push code to protected branches on this project." >&2;;
*) echo "GitLab: You are not allowed to create this tag as it is protected." >&2;;
esac
exit 1
`

// gitPath takes the path of a request of git over HTTP apart.
func gitPath(r *http.Request) (repo, service string, ok bool) {
	repo, rest, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), ".git/")
	if !ok || strings.HasPrefix(r.URL.Path, "/api/") {
		return "", "", false
	}
	if rest == "info/refs" {
		return repo, r.URL.Query().Get("service"), true
	}
	return repo, rest, true
}

// serveGit hands a request to git http-backend when the token allows it. A job
// token may push only where the project turned that on, and only to its own
// project. Source: doc/ci/jobs/ci_job_token.md.
func (d *Double) serveGit(w http.ResponseWriter, r *http.Request, repo, service string) {
	push := service == "git-receive-pack"
	d.mu.Lock()
	p := d.state.find(repo)
	user, status := d.gitUser(r, p, push)
	var refuse []string
	if p != nil && status == 0 {
		for _, rule := range p.ProtectedTags {
			if !p.mayCreateTag(user, strings.ReplaceAll(rule.Pattern, "*", "x")) {
				refuse = append(refuse, "refs/tags/"+rule.Pattern)
			}
		}
		for _, rule := range p.Branches {
			if !p.may(user, p.Branches, strings.ReplaceAll(rule.Pattern, "*", "x")) {
				refuse = append(refuse, "refs/heads/"+rule.Pattern)
			}
		}
	}
	d.mu.Unlock()
	if status != 0 {
		w.Header().Set("WWW-Authenticate", `Basic realm="GitLab"`)
		http.Error(w, http.StatusText(status), status)
		return
	}
	d.runGit(w, r, p, user, strings.Join(refuse, "\n"))
}

// gitUser returns who asks, or the status of the refusal.
func (d *Double) gitUser(r *http.Request, p *Project, push bool) (*User, int) {
	name, password, ok := r.BasicAuth()
	if !ok {
		if p != nil && p.Settings.Public && !push {
			return nil, 0
		}
		return nil, http.StatusUnauthorized
	}
	t := d.state.token(password)
	if t == nil || t.Revoked || (t.Kind == JobToken) != (name == "gitlab-ci-token") {
		return nil, http.StatusUnauthorized
	}
	user := d.state.user(t.User)
	if p == nil || (p.role(user) == NoAccess && !p.Settings.Public) {
		return nil, http.StatusNotFound
	}
	if !p.gitMay(t, user, push) {
		return nil, http.StatusForbidden
	}
	return user, 0
}

func (p *Project) gitMay(t *Token, user *User, push bool) bool {
	switch {
	case p.role(user) < Reporter && !p.Settings.Public:
		return false
	case push && (p.role(user) < Developer || p.Settings.Archived):
		return false
	case t.Kind == JobToken && push:
		return t.Project == p.ID && p.Settings.JobTokenPush
	case t.Kind == JobToken:
		return t.Project == p.ID || slices.Contains(p.Allowlist, t.Project)
	case push:
		return t.may("write_repository", "api")
	default:
		return t.may("read_repository", "write_repository", "api")
	}
}

func (d *Double) runGit(w http.ResponseWriter, r *http.Request, p *Project, user *User, refuse string) {
	execPath, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		http.Error(w, "git is not installed", http.StatusInternalServerError)
		return
	}
	// CGI knows no chunked bodies, which git sends from 1 MiB on.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r = r.Clone(r.Context())
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	root := "/" + p.Path + ".git"
	env := gitEnv("GIT_PROJECT_ROOT="+p.Dir(), "GIT_HTTP_EXPORT_ALL=1", "GITLABTEST_REFUSE="+refuse,
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.hooksPath", "GIT_CONFIG_VALUE_0="+filepath.Join(d.dir, "hooks"))
	if user != nil {
		env = append(env, "REMOTE_USER="+user.Username)
	}
	if protocol := r.Header.Get("Git-Protocol"); protocol != "" {
		env = append(env, "GIT_PROTOCOL="+protocol)
	}
	handler := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(execPath)), "git-http-backend"), Root: root, Dir: p.Dir(), Env: env, Stderr: io.Discard,
	}
	handler.ServeHTTP(w, r)
}
