package integration

import (
	"context"
	"path"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// recipe changes when this stage tests in another way.
const recipe = "1"

// Key implements pipeline.Keyer. The bundles are outputs of needed stages,
// which the engine adds.
func (s *Stage) Key(ctx context.Context, in *evidence.Inputs) error {
	tree, err := s.o.Sources.Scan(ctx)
	if err != nil {
		return err
	}
	files, err := gotool.TestFiles(s.o.Service.Dir, Tag)
	if err != nil {
		return err
	}
	relevant(tree, files).AddTo(in)
	in.Value("recipe integration", recipe)
	i := s.o.Service.Integration
	in.Values("setting integration.with", i.With)
	in.Values("setting integration.values", i.Values)
	in.Values("setting integration.data", i.Data)
	in.Tool("go", gotool.Version())
	in.Tool("kubernetes", minor(s.o.Kubernetes))
	return nil
}

// relevant returns what the tests can be made of: all code except the test
// files of packages that have no integration test.
func relevant(tree *source.Tree, files []gotool.TestFile) *source.Tree {
	tested := map[string]bool{}
	for _, f := range files {
		tested[path.Dir(f.Path)] = true
	}
	return tree.Code().Filter(func(p string) bool {
		if !source.TestOnly(p) {
			return true
		}
		dir, _, _ := strings.Cut(p, "/testdata/")
		return tested[path.Dir(p)] || tested[dir]
	})
}

// minor returns "v1.36" of "v1.36.3".
func minor(v string) string {
	if parts := strings.SplitN(v, ".", 3); len(parts) == 3 {
		return parts[0] + "." + parts[1]
	}
	return v
}
