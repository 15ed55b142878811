package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// gitbeakerVersion is the one that is installed; newer ones may ask for a newer
// node.
const gitbeakerVersion = "43.8.0"

// A client that nobody of us wrote, in another language, releases a version.
func TestGitbeaker(t *testing.T) {
	t.Parallel()
	modules := installGitbeaker(t)
	d := start(t, "--token", "access:glpat-fixed:maria", "--project", "group/sub/app")
	cmd := exec.CommandContext(t.Context(), "node", "testdata/gitbeaker.cjs", d.line.URL, "group/sub/app", "glpat-fixed")
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules, "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	want := `{"release":"2.0.0","again":409,"tags":["v2.0.0"],"onCommit":true,"files":["app.txt"],"links":["app package"],"text":"from gitbeaker"}`
	if diff := cmp.Diff(want, strings.TrimSpace(string(out))); diff != "" {
		t.Error(diff)
	}
	if said := d.stop(); said != "" {
		t.Errorf("the double reports:\n%s", said)
	}
}

// installGitbeaker returns the folder of node modules; it is filled once and
// kept.
func installGitbeaker(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not installed", tool)
			}
			t.Skipf("%s is not installed", tool)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "pipeline-tests", "npm", "gitbeaker-rest-"+gitbeakerVersion)
	modules := filepath.Join(dir, "node_modules")
	if _, err := os.Stat(modules); err == nil {
		return modules
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	// Filled beside and renamed, so that two runs at once do not see a half.
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "install-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	install := exec.CommandContext(context.Background(), "npm", "install", "--prefix", tmp, "--no-audit", "--no-fund", "--ignore-scripts", "@gitbeaker/rest@"+gitbeakerVersion)
	if out, err := install.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("npm install: %v\n%s", err, out)
		}
		t.Skipf("npm cannot install @gitbeaker/rest: %v\n%s", err, out)
	}
	if err := os.Rename(tmp, dir); err != nil {
		if _, there := os.Stat(modules); there != nil {
			t.Fatal(err)
		}
	}
	return modules
}
