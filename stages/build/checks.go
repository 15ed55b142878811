package build

import (
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// parse looks for syntax errors in the files that any level of tests compiles.
// It comes first and alone: each go command would repeat the error in words of
// its own.
func parse(dir string) error {
	files, err := gotool.Compiled(dir, append([]string{""}, gotool.TestTags()...)...)
	if err != nil {
		return err
	}
	var found []string
	for _, rel := range files {
		_, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, filepath.FromSlash(rel)), nil, parser.SkipObjectResolution)
		var list scanner.ErrorList
		if !errors.As(err, &list) {
			continue // what cannot be read is for the compiler to tell
		}
		for _, e := range list {
			found = append(found, fmt.Sprintf("%s:%d:%d: syntax error: %s", rel, e.Pos.Line, e.Pos.Column, e.Msg))
		}
	}
	if len(found) == 0 {
		return nil
	}
	first, _, _ := strings.Cut(found[0], " syntax error:")
	return &pipeline.Failure{
		Summary: "syntax error at " + strings.TrimSuffix(first, ":"),
		Cause:   gotool.Excerpt(strings.Join(found, "\n"), gotool.CauseLines),
	}
}

// vet compiles everything, and checks it. Each tag is a run of its own, for
// the packages that know it: the levels of tests may share a package and
// declare the same names.
func vet(ctx context.Context, g gotool.Go) error {
	if err := vetWith(ctx, g, "./..."); err != nil {
		return err
	}
	for _, tag := range gotool.TestTags() {
		packages, err := gotool.Tagged(g.Job.Dir, tag)
		if err != nil {
			return err
		}
		if len(packages) == 0 {
			continue
		}
		if err := vetWith(ctx, g, append([]string{"-tags=" + tag}, packages...)...); err != nil {
			return err
		}
	}
	return nil
}

func vetWith(ctx context.Context, g gotool.Go, args ...string) error {
	_, stderr, err := g.Run(ctx, append([]string{"vet"}, args...)...)
	if strings.Contains(stderr, `matched no packages`) && err == nil {
		return &pipeline.Failure{Summary: "the module has no Go packages", Cause: strings.TrimSpace(stderr)}
	}
	return gotool.Red(err, "go vet failed", gotool.Complaints(stderr))
}

// modules checks that the module cache still holds what go.sum says, and that
// go.mod and go.sum say exactly what the code needs.
func modules(ctx context.Context, g gotool.Go) error {
	if err := verify(ctx, g); err != nil {
		return err
	}
	diff, stderr, err := g.Run(ctx, "mod", "tidy", "-diff")
	if diff != "" {
		return gotool.Red(err, "go.mod or go.sum is not tidy: run `go mod tidy`", diff)
	}
	return gotool.Red(err, "go mod tidy failed", stderr)
}

// verifiedFor is how long the module cache is trusted after it was read in
// full: every byte of every module, which takes longer than to build.
const verifiedFor = time.Hour

// verify reads the module cache unless that was done a short while ago for the
// same go.sum.
func verify(ctx context.Context, g gotool.Go) error {
	mark := filepath.Join(g.Job.Cache, "verified")
	content, err := os.ReadFile(filepath.Join(g.Job.Dir, "go.sum"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	sum := evidence.Sum(content)
	if info, err := os.Stat(mark); err == nil && time.Since(info.ModTime()) < verifiedFor {
		if known, err := os.ReadFile(mark); err == nil && string(known) == string(sum) {
			fmt.Fprintf(g.Log, "go mod verify: done at %s for this go.sum\n", info.ModTime().Format(time.TimeOnly))
			return nil
		}
	}
	stdout, stderr, err := g.Run(ctx, "mod", "verify")
	if err != nil {
		return gotool.Red(err, "go mod verify failed", stderr+stdout)
	}
	return os.WriteFile(mark, []byte(sum), 0o644)
}
