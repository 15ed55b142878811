package gotest

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// byName runs the converter wherever the go command has it.
var byName = []string{"go", "tool", "test2json"}

// converter returns the command that makes events of what a test binary says.
// The go command keeps it in its cache, and takes as long to find it there as a
// small test does to run; so the stage's cache remembers where it was.
func converter(ctx context.Context, job *pipeline.Job, dir string) []string {
	version, note := gotool.Version(), filepath.Join(job.Cache, "test2json")
	if version == "" {
		return byName
	}
	if known, err := os.ReadFile(note); err == nil {
		of, path, _ := strings.Cut(string(known), "\n")
		if of == version && executable(path) {
			return []string{path}
		}
	}
	out, err := gotool.Go{Job: job, Dir: dir}.Command("tool", "-n", "test2json").Output(ctx)
	path := strings.TrimSpace(string(out))
	if err != nil || !executable(path) || os.WriteFile(note, []byte(version+"\n"+path), 0o644) != nil {
		return byName
	}
	return []string{path}
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && filepath.IsAbs(path) && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
