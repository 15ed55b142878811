package gotool

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// Version returns the version of the go command in PATH ("go1.26.8") as the
// file VERSION of its GOROOT tells it, without running anything. It is empty
// when there is no go or when it is a wrapper outside of a GOROOT.
func Version() string {
	name, err := exec.LookPath("go")
	if err != nil {
		return ""
	}
	return versionOf(name)
}

func versionOf(command string) string {
	real, err := filepath.EvalSymlinks(command)
	if err != nil {
		return ""
	}
	data, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(real)), "VERSION"))
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(data), "\n")
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "go") && !strings.HasPrefix(line, "devel") {
		return ""
	}
	return line
}

// Require returns a *pipeline.NotTested when there is no go command in PATH.
func Require() error {
	if _, err := exec.LookPath("go"); err != nil {
		return noToolchain(err)
	}
	return nil
}

func noToolchain(err error) error {
	return &pipeline.NotTested{
		Why:    "no Go toolchain: the command go is not in PATH",
		Remedy: "install Go from https://go.dev/dl or run the stage in an image that has it",
		Err:    err,
	}
}
