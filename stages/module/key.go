package module

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// Key adds the settings, the runtime and, where there are module tests, what
// they are built from. The image comes with the outputs of the need.
//
// The runtime is an input in two ways: as a setting when it is chosen in
// pipeline.yaml, and otherwise like a tool, so that a machine without any can
// still tell that nothing has changed.
func (s *Stage) Key(ctx context.Context, in *evidence.Inputs) error {
	set := s.o.Settings
	in.Values("settings", set.Args, set.Port, set.Ready, set.Stop, set.DryRun, set.Env)
	in.Value("setting runtime", set.Runtime)
	in.Value("version", s.o.Version)
	in.Tool("runtime", s.visible())
	tests, err := gotool.TestFiles(s.o.Dir, Kind)
	if err != nil {
		return fmt.Errorf("look for module tests: %w", err)
	}
	if len(tests) == 0 {
		return nil
	}
	tree, err := s.o.Sources.Scan(ctx)
	if err != nil {
		return fmt.Errorf("sources of the module tests: %w", err)
	}
	testSources(tree, tests).AddTo(in)
	in.Tool("go", gotool.Version())
	return nil
}

// visible returns the runtime that would be chosen, as far as that can be seen
// without trying; empty when none is.
func (s *Stage) visible() string {
	for _, d := range s.candidates() {
		if d.Visible() {
			return d.Name()
		}
	}
	return ""
}

// testSources leaves out what only other tests use: the _test.go files of
// packages without a module test.
func testSources(tree *source.Tree, tests []gotool.TestFile) *source.Tree {
	folders := map[string]bool{}
	for _, t := range tests {
		folders[path.Dir(t.Path)] = true
	}
	return tree.Code().Filter(func(p string) bool {
		return !source.TestOnly(p) || path.Ext(p) != ".go" || folders[path.Dir(p)]
	})
}

// hasData reports whether the image has a folder /data.
func (img *image) hasData() bool {
	info, err := os.Lstat(filepath.Join(img.root, "data"))
	return err == nil && info.IsDir()
}
