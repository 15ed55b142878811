package gotool

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// TestFile is one _test.go file and the functions that `go test` runs of it.
type TestFile struct {
	Path    string // relative to the module, with slashes
	Package string // folder as the go command takes it: "./internal/store"
	// Tests, Benchmarks, Fuzzers and Examples are function names in the order
	// of the file; TestMain is not among them.
	Tests, Benchmarks, Fuzzers, Examples []string
}

// TestFiles returns the test files of the module at dir that are built with
// the tag but not without it; with tag "", those that are built without any. A
// file that does not parse counts with the functions that could be read: the
// compiler says what is wrong with it. Sorted by path.
func TestFiles(dir, tag string) ([]TestFile, error) {
	with, without := matcher(tag), matcher("")
	var files []TestFile
	err := goFiles(dir, func(rel string) error {
		if !strings.HasSuffix(rel, "_test.go") {
			return nil
		}
		folder, base := filepath.Split(filepath.Join(dir, filepath.FromSlash(rel)))
		if !matches(with, folder, base) || tag != "" && matches(without, folder, base) {
			return nil
		}
		file := TestFile{Path: rel, Package: packageOf(rel)}
		file.read(filepath.Join(folder, base))
		files = append(files, file)
		return nil
	})
	return files, err
}

// Packages returns the folders of the files, sorted, each once.
func Packages(files []TestFile) []string {
	var list []string
	for _, f := range files {
		list = append(list, f.Package)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Tagged reports whether any Go file of the module at dir, test or not, is
// built with the tag and not without it, or the other way round, and returns
// the folders of these files as the go command takes them.
func Tagged(dir, tag string) ([]string, error) {
	with, without := matcher(tag), matcher("")
	var list []string
	err := goFiles(dir, func(rel string) error {
		folder, base := filepath.Split(filepath.Join(dir, filepath.FromSlash(rel)))
		if matches(with, folder, base) != matches(without, folder, base) {
			list = append(list, packageOf(rel))
		}
		return nil
	})
	slices.Sort(list)
	return slices.Compact(list), err
}

// TestTags returns the build tags of the levels of tests above unit tests.
func TestTags() []string { return []string{"module", "integration"} }

// Compiled returns the Go files of the module at dir that are built with any
// one of the tags; "" stands for none. Paths are relative, with slashes, sorted.
func Compiled(dir string, tags ...string) ([]string, error) {
	var list []string
	err := goFiles(dir, func(rel string) error {
		folder, base := filepath.Split(filepath.Join(dir, filepath.FromSlash(rel)))
		if slices.ContainsFunc(tags, func(tag string) bool { return matches(matcher(tag), folder, base) }) {
			list = append(list, rel)
		}
		return nil
	})
	return list, err
}

// Folders returns the folders of Go files as the go command takes them, each
// once, sorted. The files' paths are relative to the module, with slashes.
func Folders(files []string) []string {
	var list []string
	for _, f := range files {
		list = append(list, packageOf(f))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Mains returns the folders of the module's main packages, sorted: "./cmd/x".
func Mains(dir string) ([]string, error) {
	match := matcher("")
	var list []string
	err := goFiles(dir, func(rel string) error {
		folder, base := filepath.Split(filepath.Join(dir, filepath.FromSlash(rel)))
		if strings.HasSuffix(rel, "_test.go") || !matches(match, folder, base) {
			return nil
		}
		file, _ := parser.ParseFile(token.NewFileSet(), filepath.Join(folder, base), nil, parser.PackageClauseOnly)
		if file != nil && file.Name != nil && file.Name.Name == "main" {
			list = append(list, packageOf(rel))
		}
		return nil
	})
	slices.Sort(list)
	return slices.Compact(list), err
}

func packageOf(rel string) string {
	if folder := path.Dir(rel); folder != "." {
		return "./" + folder
	}
	return "."
}

// matcher returns the rules by which the go command selects files here.
func matcher(tag string) *build.Context {
	c := build.Default
	c.GOOS, c.GOARCH, c.CgoEnabled = runtime.GOOS, runtime.GOARCH, false
	c.BuildTags = nil
	if tag != "" {
		c.BuildTags = []string{tag}
	}
	return &c
}

// matches takes a file whose header cannot be read for one that is built.
func matches(c *build.Context, folder, base string) bool {
	ok, err := c.MatchFile(folder, base)
	return ok || err != nil
}

// goFiles calls visit for each Go file of the module at dir, in the order of
// its paths: like the go command it passes over vendor, testdata, folders that
// begin with "_" or ".", and other modules.
func goFiles(dir string, visit func(rel string) error) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("look for Go files: %w", err)
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		base := d.Name()
		hidden := rel != "." && (strings.HasPrefix(base, "_") || strings.HasPrefix(base, "."))
		if d.IsDir() {
			if hidden || base == "testdata" && rel != "." || rel == "vendor" || rel != "." && exists(filepath.Join(name, "go.mod")) {
				return fs.SkipDir
			}
			return nil
		}
		if hidden || !strings.HasSuffix(base, ".go") || !d.Type().IsRegular() {
			return nil
		}
		return visit(filepath.ToSlash(rel))
	})
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// read finds the functions of the file at name.
func (f *TestFile) read(name string) {
	file, _ := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if file == nil {
		return
	}
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Recv != nil || fn.Name.Name == "TestMain" {
			continue
		}
		for prefix, list := range map[string]*[]string{
			"Test": &f.Tests, "Benchmark": &f.Benchmarks, "Fuzz": &f.Fuzzers, "Example": &f.Examples,
		} {
			if isTest(fn.Name.Name, prefix) {
				*list = append(*list, fn.Name.Name)
			}
		}
	}
}

// isTest follows the rule of `go help testfunc`: what comes behind the prefix
// does not begin with a lower-case letter.
func isTest(name, prefix string) bool {
	rest, ok := strings.CutPrefix(name, prefix)
	if !ok || rest == "" {
		return ok
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return !unicode.IsLower(r)
}
