package unit

import (
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// packages returns the folders to test: those with tests, and those whose code
// counts for the coverage. The others would be compiled with counters that
// nobody reads. nil means all: settings of the go command decide then which
// files there are.
func (s *Stage) packages(dir string, own func(path string) bool) ([]string, error) {
	if s.settings.Race || s.settings.CoverPkg != "" || setsGo(s.settings.Env) {
		return nil, nil
	}
	tests, err := gotool.TestFiles(dir, "")
	if err != nil {
		return nil, err
	}
	files, err := gotool.Compiled(dir, "")
	if err != nil {
		return nil, err
	}
	counted := slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") || !own(f) })
	list := append(gotool.Packages(tests), gotool.Folders(counted)...)
	slices.Sort(list)
	return slices.Compact(list), nil
}

// setsGo reports whether an environment may change what the go command builds.
func setsGo(env map[string]string) bool {
	for name := range env {
		if strings.HasPrefix(name, "GO") || strings.HasPrefix(name, "CGO_") {
			return true
		}
	}
	return false
}
