package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// directive is a line that `go generate` obeys.
var directive = regexp.MustCompile(`(?m)^//go:generate[ \t]`)

// generator compares generated files with what their generators make.
type generator struct{ sources *goSources }

// run runs all generators in a copy of the sources. What they change there is
// stale here.
func (gen generator) run(ctx context.Context, g gotool.Go) error {
	done := mark{filepath.Join(g.Job.Cache, "generated"), string(gen.sources.generateKey())}
	if at := done.at(g); !at.IsZero() {
		fmt.Fprintf(g.Log, "go generate: nothing that the generators read has changed since %s\n", at.Format(time.TimeOnly))
		return nil
	}
	if err := gen.generate(ctx, g); err != nil {
		return err
	}
	return done.set()
}

func (gen generator) generate(ctx context.Context, g gotool.Go) error {
	root := filepath.Join(g.Job.Scratch, "generate")
	dir, err := copyTree(gen.sources.tree, root)
	if err != nil {
		return fmt.Errorf("copy the sources for go generate: %w", err)
	}
	g.Dir = dir
	_, stderr, err := g.Run(ctx, "generate", "./...")
	if program := missingProgram(stderr); err != nil && program != "" {
		return &pipeline.NotTested{
			Why:    fmt.Sprintf("the generator %s is not installed", program),
			Remedy: "install it, or pin it in go.mod with a tool directive and call it as `go tool NAME`",
			Err:    err,
		}
	}
	if err := gotool.Red(err, "go generate failed", gotool.Complaints(stderr)); err != nil {
		return err
	}
	stale, text, err := gen.compare(ctx, root, dir)
	if err != nil || len(stale) == 0 {
		return err
	}
	if err := os.WriteFile(filepath.Join(g.Job.Kept, "generate.diff"), text, 0o644); err != nil {
		return err
	}
	return &pipeline.Failure{
		Summary: fmt.Sprintf("generated code is stale: %s; run `go generate ./...`", list(stale)),
		Cause:   gotool.Excerpt(string(text), gotool.CauseLines),
	}
}

// notFound is what the go command says of a generator that is not in PATH.
var notFound = regexp.MustCompile(`running "([^"]+)": exec: .*executable file not found`)

func missingProgram(stderr string) string {
	if m := notFound.FindStringSubmatch(stderr); m != nil {
		return m[1]
	}
	return ""
}

func list(names []string) string {
	if len(names) > 3 {
		return fmt.Sprintf("%s and %d more files", strings.Join(names[:3], ", "), len(names)-3)
	}
	return strings.Join(names, ", ")
}

// compare returns the files that differ between the sources and their copy,
// and how.
func (gen generator) compare(ctx context.Context, root, dir string) (stale []string, text []byte, err error) {
	paths, err := union(gen.sources.tree, root, dir)
	if err != nil {
		return nil, nil, err
	}
	ignored := gen.ignored(ctx, paths)
	var b bytes.Buffer
	for _, p := range paths {
		before, err := read(gen.sources.tree.Dir, p)
		if err != nil {
			return nil, nil, err
		}
		after, err := read(dir, p)
		if err != nil {
			return nil, nil, err
		}
		if bytes.Equal(before, after) && (before == nil) == (after == nil) || ignored[p] {
			continue
		}
		stale = append(stale, p)
		b.Write(difference(p, before, after))
	}
	return stale, b.Bytes(), nil
}

// difference is a unified diff; of binary files it is a word.
func difference(p string, before, after []byte) []byte {
	if bytes.IndexByte(before, 0) >= 0 || bytes.IndexByte(after, 0) >= 0 {
		return fmt.Appendf(nil, "binary file %s differs\n", p)
	}
	return diff.Diff(p, before, p+" (generated)", after)
}

// union returns the paths of the sources and of their copy, relative to the
// service, sorted. Of folders outside of the service only files that were
// copied count: generators may keep scratch files anywhere.
func union(tree *source.Tree, root, dir string) ([]string, error) {
	var paths []string
	for _, f := range tree.Files {
		paths = append(paths, f.Path)
	}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		paths = append(paths, filepath.ToSlash(rel))
		return err
	})
	slices.Sort(paths)
	return slices.Compact(paths), err
}

// ignored returns which of the paths that are no sources git would ignore: a
// generator may leave such files. Without git none is.
func (gen generator) ignored(ctx context.Context, paths []string) map[string]bool {
	var in bytes.Buffer
	for _, p := range paths {
		if !gen.sources.tree.Has(p) {
			in.WriteString(p + "\x00")
		}
	}
	found := map[string]bool{}
	if in.Len() == 0 {
		return found
	}
	out, _ := proc.Cmd{ // exit status 1 says that none is ignored
		Dir: gen.sources.tree.Dir, Stdin: &in,
		Args: []string{"git", "-c", "core.excludesFile=/dev/null", "check-ignore", "-z", "--stdin"},
	}.Output(ctx)
	for name := range strings.SplitSeq(string(out), "\x00") {
		found[name] = true
	}
	return found
}

// read returns the content of a file, that of a link being its target, and nil
// when there is none.
func read(dir, rel string) ([]byte, error) {
	name := filepath.Join(dir, filepath.FromSlash(rel))
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(name)
		return []byte(target), err
	}
	data, err := os.ReadFile(name)
	if data == nil {
		data = []byte{}
	}
	return data, err
}
