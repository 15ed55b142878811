package cli

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestInitReadOnly lets init write some files before it meets a folder that it
// may not write to: afterwards there must be none of them.
func TestInitReadOnly(t *testing.T) {
	t.Parallel()
	argv := []string{"pipeline", "init"}
	if os.Geteuid() == 0 { // whom no mode of a folder stops
		if _, err := exec.LookPath("setpriv"); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip("setpriv is missing")
		}
		argv = slices.Concat([]string{"setpriv", "--bounding-set=-dac_override"}, argv)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"go.mod": "module gitlab.com/shop/till\n\ngo 1.26\n", "main.go": "package main\n\nfunc main() {}\n", "deploy/README.md": "",
	} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "deploy"), 0o555); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != exitEnvironment || !strings.Contains(string(out), "deploy/chart") || !strings.HasSuffix(string(out), "permission denied; nothing was written\n") {
		t.Errorf("%v, want exit code %d and the file\n%s", err, exitEnvironment, out)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); len(left) != 3 || err != nil {
		t.Errorf("left: %v, %v", left, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); len(left) != 0 || err != nil {
		t.Errorf("left: %v, %v", left, err)
	}
}
