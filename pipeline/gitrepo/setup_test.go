package gitrepo

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// hostileConfig is a user's configuration in which each setting would change a
// result or break a command, were it followed. It knows nobody's name.
const hostileConfig = `
[core]
	hooksPath = %[1]s/hooks
	fsmonitor = %[1]s/hooks/fail
	autocrlf = true
	attributesFile = %[1]s/attributes
	pager = false
[color]
	ui = always
[i18n]
	commitEncoding = ISO-8859-1
	logOutputEncoding = ISO-8859-1
[log]
	showSignature = true
	date = relative
	decorate = full
[tag]
	gpgSign = true
	forceSignAnnotated = true
[commit]
	gpgSign = true
[gpg]
	program = %[1]s/hooks/fail
[fetch]
	prune = true
	pruneTags = true
	recurseSubmodules = true
[push]
	followTags = true
	gpgSign = true
	recurseSubmodules = only
	pushOption = strange
	default = nothing
[submodule]
	recurse = true
[tar]
	umask = 0777
[status]
	showUntrackedFiles = no
	branch = false
[filter "break"]
	clean = false
	smudge = false
	required = true
[user]
	useConfigOnly = true
`

// TestMain gives all tests that user, and variables as in a hook.
func TestMain(m *testing.M) {
	home, err := os.MkdirTemp("", "gitrepo-home-")
	if err != nil {
		panic(err)
	}
	for name, content := range map[string]string{
		".gitconfig": fmt.Sprintf(hostileConfig, home), "attributes": "* filter=break ident text eol=crlf\n",
		"hooks/fail": "#!/bin/sh\nexit 1\n", "hooks/pre-push": "#!/bin/sh\nexit 1\n", "hooks/reference-transaction": "#!/bin/sh\nexit 1\n",
	} {
		file := filepath.Join(home, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o755)); err != nil {
			panic(err)
		}
	}
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "GIT_") || name == "XDG_CONFIG_HOME" {
			os.Unsetenv(name)
		}
	}
	for name, value := range map[string]string{"HOME": home, "GIT_CONFIG_NOSYSTEM": "1", "GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere", "GIT_TRACE": "1"} {
		os.Setenv(name, value)
	}
	code := m.Run()
	os.RemoveAll(home)
	os.Exit(code)
}

// newRepo makes a repository with two commits and a tag on the first.
func newRepo(t testing.TB) *Repo {
	t.Helper()
	r := &Repo{Root: t.TempDir()}
	r.must(t, "init", "-q", "-b", "main")
	r.commit(t, "a/x", "feat: one\n\nwith a body\n\nChangelog: added")
	r.must(t, "tag", "-a", "-m", "release", "v0.1.0")
	r.must(t, "tag", "a/v0.1.0")
	r.commit(t, "b/y", "fix: two")
	return r
}

// must runs git as a user without any configuration and returns its output.
func (r *Repo) must(t testing.TB, args ...string) string {
	t.Helper()
	return r.feed(t, "", args...)
}

func (r *Repo) feed(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = r.Root, strings.NewReader(stdin)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "GIT_") || strings.HasPrefix(e, "HOME=") })
	cmd.Env = append(cmd.Env, "HOME=/nowhere", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com",
		"GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com", "GIT_AUTHOR_DATE=2020-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2020-01-02T03:04:05Z")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *Repo) commit(t testing.TB, file, message string) string {
	t.Helper()
	r.write(t, file, message)
	r.must(t, "add", "-A")
	r.must(t, "commit", "-q", "-m", message)
	return r.must(t, "rev-parse", "HEAD")
}

func (r *Repo) write(t testing.TB, file, content string) {
	t.Helper()
	name := filepath.Join(r.Root, file)
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// bare makes a server's copy of a repository.
func (r *Repo) bare(t testing.TB) *Repo {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "server.git")
	r.must(t, "clone", "-q", "--bare", "file://"+r.Root, dir)
	server := &Repo{Root: dir}
	server.must(t, "config", "core.hooksPath", "hooks") // the client's user is not the server's
	return server
}

// clone makes a working copy of a server's repository.
func (r *Repo) clone(t testing.TB, args ...string) *Repo {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clone")
	r.must(t, append(append([]string{"clone", "-q"}, args...), "file://"+r.Root, dir)...)
	return &Repo{Root: dir}
}
