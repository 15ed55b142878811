// Package gotooltest holds what the tests of Go stages share: small modules on
// disk, and jobs to run a stage with.
package gotooltest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// NeedGo skips a test, or fails it in CI, where there is no Go.
func NeedGo(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("go is not in PATH")
		}
		t.Skip("go is not in PATH")
	}
}

// Write unpacks a txtar archive below dir.
func Write(t *testing.T, dir, archive string) string {
	t.Helper()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// NewJob returns a job of a stage for the service at dir, and its log.
func NewJob(t *testing.T, kind, dir string) (*pipeline.Job, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	node := &pipeline.Node{Name: "svc/" + kind, Service: "svc", Kind: kind, Dir: dir}
	job := pipeline.NewJob(node, "test", dir, t.TempDir(), t.TempDir(), t.TempDir(), log, nil)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log:\n%s", log)
		}
	})
	return job, log
}

// Contains fails the test unless text has all the words.
func Contains(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q lacks %q", text, w)
		}
	}
}
