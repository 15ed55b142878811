package templates

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

// consumer is a repository that includes a component, its clone, and the GitLab
// that has it.
type consumer struct {
	t       *testing.T
	dir     string // the clone
	work    string // folder of all else
	gitlab  *gitlabtest.Server
	project *gitlabtest.Project
	commit  string // of the project that has the component
	images  string // address of the registry
	inPlace bool   // jobs run in the clone itself
}

// binDir is the folder of the program that tests run.
var binDir = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "pipeline-templates-") })

// program builds the program once for all tests.
var program = sync.OnceValues(func() (string, error) {
	dir, err := binDir()
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "pipeline")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", name, "./cmd/pipeline")
	build.Dir, build.Env = top, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return name, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := binDir(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// newConsumer makes a GitLab with two projects: that of the components, and one
// with the given files that includes one of them.
func newConsumer(t *testing.T, files string, include string) *consumer {
	t.Helper()
	c := &consumer{t: t, work: t.TempDir(), gitlab: gitlabtest.New(t)}
	c.dir = filepath.Join(c.work, "clone")
	images := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(images.Close)
	c.images = strings.TrimPrefix(images.URL, "http://")
	home := c.gitlab.MustProject("selfcontained/pipeline")
	home.Set(func(s *gitlabtest.Settings) { s.Public = true })
	templates := map[string]string{}
	for _, name := range names() {
		file := "templates/" + name + "/template.yml"
		templates[file] = read(t, name).text
	}
	var err error
	if c.commit, err = home.Commit("main", "maria", "feat: components", templates); err != nil {
		t.Fatal(err)
	}
	if c.project, err = c.gitlab.Project("shop/tiny"); err != nil {
		t.Fatal(err)
	}
	c.project.Member("maria", gitlabtest.Maintainer)
	if err := os.CopyFS(c.dir, os.DirFS(files)); err != nil {
		t.Fatal(err)
	}
	for file, text := range templates {
		c.write(file, text)
	}
	c.write(".gitlab-ci.yml", strings.ReplaceAll(include, "COMMIT", c.commit))
	c.git("init", "--quiet", "--initial-branch=main")
	c.git("config", "user.name", "Maria")
	c.git("config", "user.email", "maria@example.com")
	c.write(".git/info/exclude", ".gitlab-ci-local/\n")
	c.push("feat: tiny")
	return c
}

func (c *consumer) write(name, text string) {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

func (c *consumer) replace(name, old, text string) {
	c.t.Helper()
	data, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil || !strings.Contains(string(data), old) {
		c.t.Fatalf("%s does not contain %q: %v", name, old, err)
	}
	c.write(name, strings.Replace(string(data), old, text, 1))
}

func (c *consumer) git(args ...string) string {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), "git", args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// push commits everything and pushes it; the clone has the address that jobs
// have, with a job token.
func (c *consumer) push(message string) {
	c.t.Helper()
	c.git("add", "--all")
	c.git("commit", "--quiet", "--message", message)
	address := func(user, token string) string {
		return strings.Replace(c.project.CloneURL(), "://", "://"+user+":"+token+"@", 1)
	}
	c.git("push", "--quiet", address("oauth2", c.gitlab.AccessToken("maria", "api", "write_repository")), "HEAD")
	if c.git("remote") == "" {
		c.git("remote", "add", "origin", address("gitlab-ci-token", c.project.JobToken("maria")))
	}
	c.git("fetch", "--quiet", "origin")
	c.git("remote", "set-head", "origin", "main")
}

// freshMachine is the program with a cache of its own for each job, as if each
// ran on another machine. Go's caches and staticcheck are those of this one:
// they cost minutes to fill.
const freshMachine = `#!/bin/sh
work=%s tools=%s program=%s
export PIPELINE_CACHE="$work/caches/$CI_JOB_NAME"
mkdir -p "$PIPELINE_CACHE" "$tools/staticcheck-results"
for tool in "$tools"/staticcheck-*; do
  [ -e "$PIPELINE_CACHE/${tool##*/}" ] || ln -s "$tool" "$PIPELINE_CACHE/"
done
if [ -n "$GOCACHE" ]; then
  mkdir -p "$GOCACHE" && echo used >"$GOCACHE/README"
  unset GOCACHE GOMODCACHE
fi
"$program" "$@"
code=$?
for tool in "$PIPELINE_CACHE"/staticcheck-v*; do
  if [ -d "$tool" ] && [ ! -L "$tool" ]; then
    new=$(mktemp -d "$tools/new-XXXXXX") && cp -R "$tool" "$new/" && mv -n "$new"/* "$tools/"
    rm -rf "$new"
  fi
done
exit $code
`

// toolCache is a folder that tests keep tools in.
func toolCache(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "pipeline-tests", "tools")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// provide makes a script the program that jobs find.
func (c *consumer) provide(script string) {
	c.t.Helper()
	if err := os.MkdirAll(c.bin(), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.bin(), "pipeline"), []byte(script), 0o755); err != nil {
		c.t.Fatal(err)
	}
}

func (c *consumer) bin() string { return filepath.Join(c.work, "bin") }

// run runs the pipeline of the commit.
func (c *consumer) run(variables map[string]string, args ...string) ciRun {
	c.t.Helper()
	name, err := program()
	if err != nil {
		c.t.Fatal(err)
	}
	c.provide(fmt.Sprintf(freshMachine, c.work, toolCache(c.t), name))
	if err := os.RemoveAll(filepath.Join(c.work, "caches")); err != nil {
		c.t.Fatal(err)
	}
	return c.runWith(variables, args...)
}

// runWith runs the pipeline with the program that is provided. An empty variable
// is one that GitLab does not set.
func (c *consumer) runWith(variables map[string]string, args ...string) ciRun {
	c.t.Helper()
	all := map[string]string{
		"GITLAB_CI": "true", "CI_PROJECT_ID": fmt.Sprint(c.project.ID), "CI_JOB_TOKEN": c.project.JobToken("maria"),
		"CI_REGISTRY": c.images, "CI_REGISTRY_IMAGE": c.images + "/shop/tiny",
	}
	for name, value := range variables {
		all[name] = value
	}
	if !c.inPlace {
		args = append(args, isolated)
	}
	for name, value := range all {
		if value == "" {
			args = append(args, "--unset-variable", name)
		} else {
			args = append(args, "--variable", name+"="+value)
		}
	}
	return runCI(c.t, c.dir, []string{"PATH=" + c.bin() + string(filepath.ListSeparator) + os.Getenv("PATH")}, args...)
}
