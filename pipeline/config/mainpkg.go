package config

import (
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mainPackage returns the package of the program: the root, then cmd/NAME, then
// the only one. Without a single choice it returns all of them.
func mainPackage(dir string, names ...string) (found string, several []string) {
	if isMain(dir) {
		return ".", nil
	}
	for _, name := range names {
		if isMain(filepath.Join(dir, "cmd", name)) {
			return "./cmd/" + name, nil
		}
	}
	all := mainPackages(dir)
	if len(all) == 1 {
		return all[0], nil
	}
	return "", all
}

// mainPackages returns all main packages of the module below dir, sorted.
func mainPackages(dir string) []string {
	var found []string
	filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil && name == dir:
			return err
		case err != nil || !entry.IsDir():
			return nil
		case name != dir && notPackages(name, entry.Name()):
			return fs.SkipDir
		}
		if rel, err := filepath.Rel(dir, name); err == nil && isMain(name) {
			found = append(found, "./"+filepath.ToSlash(rel))
		}
		return nil
	})
	slices.Sort(found)
	return found
}

// notPackages reports whether the go command would not look for packages in a
// folder either (see `go help packages`), or finds another module there.
func notPackages(name, base string) bool {
	if base == "vendor" || base == "testdata" || base[0] == '.' || base[0] == '_' {
		return true
	}
	_, err := os.Lstat(filepath.Join(name, "go.mod"))
	return err == nil
}

// isMain reports whether the Go files of a folder that are built for Linux
// without tags are of package main.
func isMain(dir string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	target := build.Default
	target.GOOS, target.BuildTags, target.CgoEnabled = "linux", nil, true
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || entry.IsDir() {
			continue
		}
		if ok, err := target.MatchFile(dir, name); err != nil || !ok {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, parser.PackageClauseOnly)
		if err != nil {
			continue // the build says what is wrong with it
		}
		if file.Name.Name != "documentation" {
			return file.Name.Name == "main"
		}
	}
	return false
}
