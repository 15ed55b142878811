package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// StateDir is the folder of a checkout that the tool keeps its state in.
const StateDir = ".pipeline"

// listDir returns the sources below dir, relative to it.
func listDir(ctx context.Context, dir string) ([]string, error) {
	paths, err := listGit(ctx, dir)
	var failed *proc.Error
	switch {
	case err == nil:
		return expand(ctx, dir, paths)
	case ctx.Err() != nil:
		return nil, err
	case proc.NotFound(err), errors.As(err, &failed):
		return walk(dir) // no git, or no repository
	}
	return nil, err
}

// listGit asks git for what is tracked and what would be. Only .gitignore
// files count: a user's own excludes must not change what is built.
func listGit(ctx context.Context, dir string) ([]string, error) {
	out, err := proc.Cmd{
		Dir:  dir,
		Args: []string{"git", "ls-files", "-z", "--cached", "--others", "--exclude-per-directory=.gitignore"},
	}.Output(ctx)
	if err != nil {
		return nil, err
	}
	var paths []string
	for p := range strings.SplitSeq(string(out), "\x00") {
		if p != "" && !inStateDir(p) {
			paths = append(paths, p)
		}
	}
	return paths, nil
}

// expand replaces folders, which is how git lists a submodule and a repository
// inside of another, by the sources in them.
func expand(ctx context.Context, dir string, paths []string) ([]string, error) {
	var all []string
	for _, p := range paths {
		info, err := os.Lstat(filepath.Join(dir, p))
		if err != nil || !info.IsDir() {
			all = append(all, p) // what is gone is found to be so when it is read
			continue
		}
		inner, err := listDir(ctx, filepath.Join(dir, p))
		if err != nil {
			return nil, err
		}
		for _, i := range inner {
			all = append(all, filepath.Join(p, i))
		}
	}
	return all, nil
}

func inStateDir(path string) bool {
	return strings.HasPrefix(path, StateDir+"/") || strings.Contains(path, "/"+StateDir+"/")
}

// walk lists every file, state and repositories excepted.
func walk(dir string) ([]string, error) {
	var paths []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("list sources: %w; make it readable, or keep it out of the service's folder", err)
		}
		if d.IsDir() {
			if base := d.Name(); name != dir && (base == ".git" || base == StateDir) {
				return fs.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(dir, name)
		paths = append(paths, rel)
		return err
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("no folder %s", dir)
	}
	return paths, err
}
