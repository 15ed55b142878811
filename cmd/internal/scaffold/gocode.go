package scaffold

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// goFolder is what the Go files of one folder say together.
type goFolder struct {
	main    bool
	imports map[string]bool
	tests   map[string]*TestPackage // by tag
}

// goCode reads all Go files.
func (l *looker) goCode() {
	folders := map[string]*goFolder{}
	for _, name := range l.facts.Files {
		if path.Ext(name) == ".go" && !l.nested(name) {
			l.goFile(folders, name)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(folders)) {
		f := folders[dir]
		l.facts.GRPCHealth = l.facts.GRPCHealth || f.imports["google.golang.org/grpc/health"]
		if f.main {
			l.facts.Mains = append(l.facts.Mains, dir)
		}
		for _, tag := range slices.Sorted(maps.Keys(f.tests)) {
			t := f.tests[tag]
			t.Imports = slices.Sorted(maps.Keys(f.imports))
			slices.Sort(t.Flags)
			t.Flags = slices.Compact(t.Flags)
			l.facts.Tests = append(l.facts.Tests, *t)
		}
	}
	if l.facts.Module == "" && l.facts.isGo() && len(l.facts.Services) == 0 {
		l.legacy(folders)
	}
}

// nested reports whether a file belongs to another module.
func (l *looker) nested(name string) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if l.facts.has(dir + "/go.mod") {
			return true
		}
	}
	return false
}

// testTags are the build tags of the levels of tests above unit tests.
func testTags() []string { return []string{"module", "integration"} }

// goFile reads one file. What does not parse is for the compiler to tell.
func (l *looker) goFile(folders map[string]*goFolder, name string) {
	dir := path.Dir(name)
	test := strings.HasSuffix(name, "_test.go")
	tag, built := l.builtWith(name)
	if !built {
		return
	}
	mode := parser.ImportsOnly
	if test {
		mode = parser.SkipObjectResolution
	}
	file, _ := parser.ParseFile(token.NewFileSet(), name, l.read(name), mode)
	if file == nil || file.Name == nil {
		return
	}
	f := folders[dir]
	if f == nil {
		f = &goFolder{imports: map[string]bool{}, tests: map[string]*TestPackage{}}
		folders[dir] = f
	}
	for _, i := range file.Imports {
		if p, err := strconv.Unquote(i.Path.Value); err == nil {
			f.imports[p] = true
		}
	}
	switch {
	case test:
		f.test(dir, tag, file)
	case tag == "" && file.Name.Name == "main":
		f.main = true
	}
}

// builtWith returns the tag of tests that a file is built with and not
// without; built is false for a file that neither is.
func (l *looker) builtWith(name string) (tag string, built bool) {
	for _, tag := range append([]string{""}, testTags()...) {
		c := build.Default
		c.GOOS, c.CgoEnabled, c.BuildTags = "linux", true, []string{tag}
		c.OpenFile = func(name string) (io.ReadCloser, error) { return l.root.Open(name) }
		c.JoinPath = path.Join
		if ok, err := c.MatchFile(path.Dir(name), path.Base(name)); err == nil && ok {
			return tag, true
		}
	}
	return "", false
}

// test notes the tests of a file, and the flags that it declares.
func (f *goFolder) test(dir, tag string, file *ast.File) {
	t := f.tests[tag]
	if t == nil {
		t = &TestPackage{Folder: dir, Package: file.Name.Name, Tag: tag}
		f.tests[tag] = t
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if packageOf(call.Fun) != "flag" || len(call.Args) < 2 {
			return true
		}
		for _, arg := range call.Args[:2] { // flag.String(name), flag.StringVar(&v, name)
			if name := literal(arg); addressFlags()[name] {
				t.Flags = append(t.Flags, name)
			}
		}
		return true
	})
}

// packageOf returns what stands before the dot of a qualified function.
func packageOf(fn ast.Expr) string {
	selector, ok := fn.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if id, ok := selector.X.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// literal returns the value of a string literal, else "".
func literal(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	s, _ := strconv.Unquote(lit.Value)
	return s
}

// addressFlags are the names that flags for the address of a service have.
func addressFlags() map[string]bool {
	return map[string]bool{
		"ip": true, "host": true, "hostname": true, "port": true,
		"addr": true, "address": true, "endpoint": true, "target": true,
	}
}
