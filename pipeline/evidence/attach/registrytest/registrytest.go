// Package registrytest starts the registries that tests run against, and finds
// the foreign programs that look at what we wrote.
package registrytest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// A Registry is a kind of registry to test with.
type Registry struct {
	Name string
	// Referrers says whether it has the referrers API.
	Referrers bool
	// Start returns its host:port on loopback. It ends with the test.
	Start func(t *testing.T) string
}

// All returns the kinds of registry that everything has to work with.
func All() []Registry {
	return []Registry{
		{"with referrers", true, func(t *testing.T) string { return InProcess(t, true) }},
		{"without referrers", false, func(t *testing.T) string { return InProcess(t, false) }},
		{"docker-registry", false, Debian},
	}
}

// InProcess starts go-containerregistry's registry.
func InProcess(t *testing.T, referrers bool) string {
	t.Helper()
	s := httptest.NewServer(registry.New(
		registry.WithReferrersSupport(referrers), registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// Debian starts the docker-registry of Debian's package with this name, or
// skips the test.
func Debian(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		Missing(t, "docker-registry (apt-get install docker-registry)")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	text := fmt.Sprintf("version: 0.1\nlog: {level: info}\nhttp: {addr: '127.0.0.1:0', secret: test}\nstorage: {filesystem: {rootdirectory: %q}, delete: {enabled: true}}\n", dir)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve", config)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return listening(t, stderr)
}

// listening returns the address that the registry's log tells, and reads the
// rest of the log away.
func listening(t *testing.T, logged io.Reader) string {
	t.Helper()
	lines := bufio.NewScanner(logged)
	var seen []string
	for lines.Scan() {
		seen = append(seen, lines.Text())
		_, after, ok := strings.Cut(lines.Text(), `msg="listening on `)
		if !ok {
			continue
		}
		address, _, _ := strings.Cut(after, `"`)
		go func() {
			for lines.Scan() {
				continue
			}
		}()
		return address
	}
	t.Fatalf("docker-registry does not listen:\n%s", strings.Join(seen, "\n"))
	return ""
}

// Missing skips the test because something is not installed; in CI it fails.
func Missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing", what)
	}
	t.Skipf("%s is missing", what)
}

// Installed returns the path of a program of the distribution.
func Installed(t *testing.T, name string) string {
	t.Helper()
	program, err := exec.LookPath(name)
	if err != nil {
		Missing(t, name)
	}
	return program
}

// The foreign programs that are built from their modules.
const (
	Cosign = "github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3"
	Crane  = "github.com/google/go-containerregistry/cmd/crane@v0.22.1"
	Helm   = "helm.sh/helm/v3/cmd/helm@v3.22.0"
)

// Built returns the path of a program that is built from a package of a module
// and kept in the user's cache. Building cosign takes more than four minutes on
// two cores, so what is not there is built only with CI=true or
// PIPELINE_BUILD_TOOLS=true; otherwise the test is skipped.
func Built(t *testing.T, pkg string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "pipeline-tests", "bin", strings.NewReplacer("/", "_", "@", "_").Replace(pkg))
	at, _, _ := strings.Cut(pkg, "@")
	program := filepath.Join(dir, path.Base(at))
	if _, err := os.Stat(program); err == nil {
		return program
	}
	if os.Getenv("CI") != "true" && os.Getenv("PIPELINE_BUILD_TOOLS") != "true" {
		t.Skipf("%s is not built; PIPELINE_BUILD_TOOLS=true builds it, once", pkg)
	}
	if err := build(t.Context(), dir, pkg); err != nil {
		t.Fatal(err)
	}
	return program
}

// build is done by one process at a time; go install writes the program at
// once.
func build(ctx context.Context, dir, pkg string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	lock, err := os.Create(filepath.Join(dir, ".lock"))
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "install", pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=-mod=mod", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go install %s: %w\n%s", pkg, err, out)
	}
	return nil
}
