package goapi

import (
	"context"
	"errors"
	"fmt"
	"go/build"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/modfile"
)

// Load reads the interface of the module in dir, which has its go.mod. It needs
// the go command, reads sources and module cache, and writes nothing. The
// dependencies have to be in the module cache; no network is used.
//
// The error wraps ErrNoModule when there is no go.mod. A module that cannot be
// imported on one of the platforms is no error, unless that is so on all.
func Load(ctx context.Context, dir string, o Options) (*API, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	mod, err := readGoMod(dir)
	if err != nil {
		return nil, err
	}
	a := &API{Module: mod.Module.Mod.Path, views: map[Platform]*view{}, unkeyed: map[string]bool{}}
	if mod.Go != nil {
		a.Go = mod.Go.Version
	}
	platforms := o.Platforms
	if len(platforms) == 0 {
		platforms = DefaultPlatforms()
	}
	groups, err := alike(dir, platforms, o.Tags)
	if err != nil {
		return nil, err
	}
	var failures []error
	for _, group := range groups {
		v, err := a.load(ctx, dir, group[0], o.Tags)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("module %s in %s on %v: %w", a.Module, dir, group[0], err))
			v = &view{err: err}
		}
		for _, p := range group {
			a.views[p] = v
		}
	}
	if len(failures) == len(groups) {
		return nil, failures[0]
	}
	return a, nil
}

func readGoMod(dir string) (*modfile.File, error) {
	name := filepath.Join(dir, "go.mod")
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w; a Go interface is that of a module", dir, ErrNoModule)
	}
	if err != nil {
		return nil, err
	}
	mod, err := modfile.ParseLax(name, data, nil)
	if err != nil {
		return nil, err
	}
	if mod.Module == nil {
		return nil, fmt.Errorf("%s: no module line; begin it with `module PATH`", name)
	}
	return mod, nil
}

// load reads the interface on one platform.
func (a *API) load(ctx context.Context, dir string, p Platform, tags []string) (*view, error) {
	packages, err := listPackages(ctx, dir, p, tags)
	if err != nil {
		return nil, err
	}
	v := &view{packages: map[string]*types.Package{}, module: map[string]string{}, version: map[string]string{}}
	c := newChecker(p.Arch, packages)
	for _, l := range sorted(packages) {
		if l.Module != nil {
			v.module[l.ImportPath], v.version[l.Module.Path] = l.Module.Path, l.Module.Version
		}
		if l.Module == nil || l.Module.Path != a.Module {
			continue
		}
		a.noteUnkeyed(l)
		if !importable(l.Name, l.ImportPath) || len(l.GoFiles)+len(l.CgoFiles) == 0 {
			continue
		}
		pkg, err := c.check(l.ImportPath)
		if err != nil {
			return nil, err
		}
		v.packages[relative(a.Module, l.ImportPath)] = pkg
	}
	return v, nil
}

// alike groups platforms that see the same files of a module: they see the same
// interface, and one of them is enough to look at. The first group is that of
// the first platform.
func alike(dir string, platforms []Platform, tags []string) ([][]Platform, error) {
	files, err := goFiles(dir)
	if err != nil {
		return nil, err
	}
	var groups [][]Platform
	at := map[string]int{}
	for _, p := range platforms {
		seen := seenFiles(dir, files, p, tags)
		i, ok := at[seen]
		if !ok {
			i = len(groups)
			at[seen], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], p)
	}
	return groups, nil
}

func seenFiles(dir string, files []string, p Platform, tags []string) string {
	c := build.Default
	c.GOOS, c.GOARCH, c.CgoEnabled, c.BuildTags, c.Compiler = p.OS, p.Arch, true, tags, "gc"
	var seen strings.Builder
	for i, name := range files {
		// A file that cannot be read is reported by the go command.
		if ok, err := c.MatchFile(filepath.Join(dir, filepath.Dir(name)), filepath.Base(name)); ok || err != nil {
			seen.WriteString(strconv.Itoa(i) + " ")
		}
	}
	return seen.String()
}

// goFiles returns the files that the packages of a module are made of.
func goFiles(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && name != dir && skipped(name):
			return filepath.SkipDir
		case !e.IsDir() && strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			rel, err := filepath.Rel(dir, name)
			files = append(files, rel)
			return err
		}
		return nil
	})
	return files, err
}

// skipped knows the folders that "./..." does not reach.
func skipped(dir string) bool {
	base := filepath.Base(dir)
	if base == "vendor" || base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}
