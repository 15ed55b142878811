package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// modules checks that the module cache still holds what go.sum says, and that
// go.mod and go.sum say exactly what the code needs.
type modules struct{ sources *goSources }

func (m modules) run(ctx context.Context, g gotool.Go) error {
	if err := m.verify(ctx, g); err != nil {
		return err
	}
	return m.tidy(ctx, g)
}

// verify reads the module cache, every byte of every module, unless that was
// done a short while ago for the same go.sum.
func (m modules) verify(ctx context.Context, g gotool.Go) error {
	content, err := os.ReadFile(filepath.Join(m.sources.tree.Dir, "go.sum"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	done := mark{filepath.Join(g.Job.Cache, "verified"), string(evidence.Sum(content))}
	if at := done.at(g); !at.IsZero() {
		fmt.Fprintf(g.Log, "go mod verify: done at %s for this go.sum\n", at.Format(time.TimeOnly))
		return nil
	}
	stdout, stderr, err := g.Run(ctx, "mod", "verify")
	if err != nil {
		return gotool.Red(err, "go mod verify failed", stderr+stdout)
	}
	return done.set()
}

// tidy asks what go.mod and go.sum should be, unless that was done a short
// while ago for the same imports.
func (m modules) tidy(ctx context.Context, g gotool.Go) error {
	done := mark{filepath.Join(g.Job.Cache, "tidy"), string(m.sources.importsKey())}
	if at := done.at(g); !at.IsZero() {
		fmt.Fprintf(g.Log, "go mod tidy: no import has changed since %s\n", at.Format(time.TimeOnly))
		return nil
	}
	diff, stderr, err := g.Run(ctx, "mod", "tidy", "-diff")
	if diff != "" {
		return gotool.Red(err, "go.mod or go.sum is not tidy: run `go mod tidy`", diff)
	}
	if err != nil {
		return gotool.Red(err, "go mod tidy failed", stderr)
	}
	return done.set()
}
