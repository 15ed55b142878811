package build

import (
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// modules checks that the module cache still holds what go.sum says, and that
// go.mod and go.sum say exactly what the code needs.
type modules struct{ tree *source.Tree }

func (m modules) run(ctx context.Context, g gotool.Go) error {
	if err := m.verify(ctx, g); err != nil {
		return err
	}
	return m.tidy(ctx, g)
}

// verify reads the module cache, every byte of every module, unless that was
// done a short while ago for the same go.sum.
func (m modules) verify(ctx context.Context, g gotool.Go) error {
	content, err := os.ReadFile(filepath.Join(m.tree.Dir, "go.sum"))
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
	key, err := importsKey(m.tree)
	if err != nil {
		return err
	}
	done := mark{filepath.Join(g.Job.Cache, "tidy"), string(key)}
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

// importsKey identifies what go.mod and go.sum depend on: themselves, those of
// modules in folders, the toolchain, and of every Go file what stands before
// its declarations (build constraints and imports).
func importsKey(tree *source.Tree) (evidence.Digest, error) {
	in := &evidence.Inputs{}
	in.Tool("go", gotool.Version())
	for _, f := range tree.Files {
		if base := filepath.Base(f.Path); base == "go.mod" || base == "go.sum" || base == "go.work" || base == "modules.txt" {
			in.Digest(f.Path, f.Digest)
		}
		if !strings.HasSuffix(f.Path, ".go") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(tree.Dir, filepath.FromSlash(f.Path)))
		if err != nil {
			return "", err
		}
		in.Digest("imports of "+f.Path, evidence.Sum(head(data)))
	}
	return in.Key(), nil
}

// head returns a Go file up to its last import; one that does not parse is
// returned whole.
func head(src []byte) []byte {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", src, parser.ImportsOnly|parser.SkipObjectResolution)
	if err != nil {
		return src
	}
	end := file.Name.End()
	for _, spec := range file.Imports {
		end = max(end, spec.End())
	}
	return src[:fset.Position(end).Offset]
}
