package build

import (
	"context"
	"errors"
	"fmt"
	gobuild "go/build"
	"go/parser"
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
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

// vet compiles everything, and checks it: all levels of tests at once where
// they live in packages of their own. Where they share one, and may declare the
// same names, each tag is a run of its own.
func vet(ctx context.Context, g gotool.Go) error {
	var tags, together []string
	shared := false
	tagged := map[string][]string{}
	for _, tag := range gotool.TestTags() {
		packages, err := gotool.Tagged(g.Job.Dir, tag)
		if err != nil {
			return err
		}
		if len(packages) == 0 {
			continue
		}
		tags, tagged[tag] = append(tags, tag), packages
		for _, p := range packages {
			shared = shared || slices.Contains(together, p) || hasUntagged(g.Job.Dir, p)
		}
		together = append(together, packages...)
	}
	if !shared && len(tags) > 0 {
		return vetWith(ctx, g, "-tags="+strings.Join(tags, ","), "./...")
	}
	if err := vetWith(ctx, g, "./..."); err != nil {
		return err
	}
	for _, tag := range tags {
		if err := vetWith(ctx, g, append([]string{"-tags=" + tag}, tagged[tag]...)...); err != nil {
			return err
		}
	}
	return nil
}

// hasUntagged reports whether a package exists without any tag too.
func hasUntagged(dir, folder string) bool {
	_, err := gobuild.Default.ImportDir(filepath.Join(dir, filepath.FromSlash(folder)), 0)
	return err == nil
}

func vetWith(ctx context.Context, g gotool.Go, args ...string) error {
	// With -trimpath it finds compiled what the programs are made of.
	_, stderr, err := g.Run(ctx, append([]string{"vet", "-trimpath"}, args...)...)
	if strings.Contains(stderr, `matched no packages`) && err == nil {
		return &pipeline.Failure{Summary: "the module has no Go packages", Cause: strings.TrimSpace(stderr)}
	}
	return gotool.Red(err, "go vet failed", gotool.Complaints(stderr))
}

// markLife is how long a mark holds: what it speaks for depends on more than
// its content (the module cache, programs in PATH), if hardly ever within a
// session of work.
const markLife = time.Hour

// mark remembers in a file that a check passed for some content.
type mark struct{ file, content string }

// at is when the check passed, zero when it has to be made.
func (m mark) at(g gotool.Go) time.Time {
	info, err := os.Stat(m.file)
	if err != nil || g.Job.Fresh || time.Since(info.ModTime()) > markLife {
		return time.Time{}
	}
	if known, err := os.ReadFile(m.file); err != nil || string(known) != m.content {
		return time.Time{}
	}
	return info.ModTime()
}

func (m mark) set() error { return os.WriteFile(m.file, []byte(m.content), 0o644) }
