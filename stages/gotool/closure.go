package gotool

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Closure returns the given folders of the module at dir and those of all
// packages of the module that they import, directly or not, in no order:
// relative to dir with slashes, "." is the module's own. The imports of tests
// and of files for any platform or tag count. What cannot be read is left out.
func Closure(dir string, folders ...string) []string {
	module := Module(dir)
	var found []string
	for todo := slices.Clone(folders); len(todo) > 0; todo = todo[1:] {
		if slices.Contains(found, todo[0]) {
			continue
		}
		found = append(found, todo[0])
		for _, path := range imports(filepath.Join(dir, filepath.FromSlash(todo[0]))) {
			if rel, ok := strings.CutPrefix(path, module+"/"); ok {
				todo = append(todo, rel)
			} else if path == module {
				todo = append(todo, ".")
			}
		}
	}
	return found
}

// imports returns the import paths in the Go files of a folder.
func imports(folder string) []string {
	names, _ := filepath.Glob(filepath.Join(folder, "*.go"))
	var paths []string
	for _, name := range names {
		src, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
		if err != nil {
			continue
		}
		for _, i := range file.Imports {
			paths = append(paths, strings.Trim(i.Path.Value, "`\""))
		}
	}
	return paths
}
