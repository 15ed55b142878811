package templates

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// The versions that are installed. gitlab-ci-local is somebody else's reading of
// GitLab's configuration: includes, inputs, extends, rules, needs, artifacts. It
// asks for a newer node than distributions have.
const (
	ciLocalVersion = "4.75.1"
	nodeVersion    = "22.23.3"
)

// skip ends a test that lacks a tool; in CI that is a failure.
func skip(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// ciLocal returns the command that starts gitlab-ci-local.
func ciLocal(t *testing.T) []string {
	t.Helper()
	for _, tool := range []string{"npm", "git", "rsync", "bash"} {
		if _, err := exec.LookPath(tool); err != nil {
			skip(t, "%s is not installed", tool)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "pipeline-tests", "npm", "gitlab-ci-local-"+ciLocalVersion)
	if err := installCILocal(dir); err != nil {
		skip(t, "npm cannot install gitlab-ci-local: %v", err)
	}
	node := "node"
	if pkg := nodePackage(); pkg != "" {
		node = filepath.Join(dir, "node_modules", pkg, "bin", "node")
	}
	return []string{node, filepath.Join(dir, "node_modules", "gitlab-ci-local", "dist", "index.js")}
}

// nodePackage is the package on npm that has node for this machine, "" where
// that of the machine has to do.
func nodePackage() string {
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	if runtime.GOOS != "linux" || arch == "" {
		return ""
	}
	return "node-linux-" + arch
}

// installing is held by the test of this process that installs.
var installing sync.Mutex

// installCILocal fills dir once. It is filled beside and renamed, so that two
// processes at once do not see a half.
func installCILocal(dir string) error {
	installing.Lock()
	defer installing.Unlock()
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "install-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	args := []string{"install", "--prefix", tmp, "--no-audit", "--no-fund", "--ignore-scripts", "gitlab-ci-local@" + ciLocalVersion}
	if pkg := nodePackage(); pkg != "" {
		args = append(args, pkg+"@"+nodeVersion)
	}
	if out, err := exec.CommandContext(context.Background(), "npm", args...).CombinedOutput(); err != nil {
		return errors.New(err.Error() + "\n" + string(out))
	}
	if err := os.Rename(tmp, dir); err != nil {
		if _, there := os.Stat(dir); there != nil {
			return err
		}
	}
	return nil
}

// predefined are the variables of GitLab that runs set.
const predefined = "GITLAB_CI,CI_PROJECT_ID,CI_JOB_TOKEN,CI_REGISTRY,CI_REGISTRY_IMAGE,CI_REGISTRY_USER,CI_REGISTRY_PASSWORD,CI_PIPELINE_SOURCE,CI_COMMIT_BRANCH,CI_COMMIT_TAG,CI_MERGE_REQUEST_IID,CI_PIPELINE_ID,CI_JOB_ID"

// isolated gives each job a folder of its own.
const isolated = "--shell-isolation"

// ciRun is how a pipeline went.
type ciRun struct {
	code int
	text string
	// jobs has PASS, FAIL or WARN for each job that ran.
	jobs map[string]string
}

// runCI runs gitlab-ci-local in a folder, on this machine's shell: the keyword
// image has no effect. With isolated, each job gets a copy of the working copy of
// its own and the artifacts of those that it needs.
func runCI(t *testing.T, dir string, env []string, args ...string) ciRun {
	t.Helper()
	command := append(ciLocal(t), "--home", t.TempDir(), "--force-shell-executor",
		"--no-artifacts-to-source", "--no-color", "--concurrency", "2", "--ignore-predefined-vars", predefined,
		"--json-schema-validation=false") // that it has is older than GitLab's
	cmd := exec.CommandContext(t.Context(), command[0], append(command[1:], args...)...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1"), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	run := ciRun{code: cmd.ProcessState.ExitCode(), jobs: map[string]string{}}
	run.text = regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(out.String(), "")
	for _, m := range regexp.MustCompile(`(?m)^ (PASS|FAIL|WARN) +(\S+)`).FindAllStringSubmatch(run.text, -1) {
		run.jobs[m[2]] = m[1]
	}
	return run
}

// log returns what a job printed.
func (r ciRun) log(job string) string {
	var b strings.Builder
	for line := range strings.Lines(r.text) {
		if name, rest, ok := strings.Cut(line, " > "); ok && strings.TrimSpace(name) == job {
			b.WriteString(rest)
		}
	}
	return b.String()
}
