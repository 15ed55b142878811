package system

import (
	"context"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// recipe changes when this stage tests in another way.
const recipe = "1"

// SuiteDigest is the digest of the acceptance tests in a folder: of all files
// but documentation that no test embeds.
func SuiteDigest(ctx context.Context, sources *source.Folder) (evidence.Digest, error) {
	tree, err := sources.Scan(ctx)
	if err != nil {
		return "", err
	}
	return tree.Code().Digest(), nil
}

// Key implements pipeline.Keyer. The id of the combination says it all; suite
// and bundles are there so that a difference can be told in words, and so that
// tests that are edited while they run are noticed.
func (s *Stage) Key(ctx context.Context, in *evidence.Inputs) error {
	suite := s.o.Suite
	if s.o.Sources != nil {
		var err error
		if suite, err = SuiteDigest(ctx, s.o.Sources); err != nil {
			return err
		}
	}
	in.Value("recipe system", recipe)
	in.Digest("combination", s.o.ID)
	in.Digest("suite", suite)
	if len(s.o.Command) > 0 {
		in.Value("setting command", proc.Quote(s.o.Command))
	} else {
		in.Tool("go", gotool.Version())
	}
	for _, m := range s.o.Members {
		in.Digest("bundle "+m.Name, m.Bundle)
	}
	in.Tool("kubernetes", minor(s.o.Kubernetes))
	return nil
}

// minor returns "v1.36" of "v1.36.3".
func minor(v string) string {
	if parts := strings.SplitN(v, ".", 3); len(parts) == 3 {
		return parts[0] + "." + parts[1]
	}
	return v
}
