package build

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// Generators read declarations: of messages, interfaces, types. So after a
// change inside of a function's body they need not run again, except where
// they may look into bodies too: in the folder of their directive, in what the
// directive names, and in their own code. A directive that may do anything (a
// script, a pattern with "...") reads everything.

// readings tells what the generators of a module read in full.
type readings struct {
	all     bool
	folders []string // with what is below them, relative with slashes
	files   []string
	dirs    []string // without what is below them
}

// full reports whether they may read more of a Go file than its declarations.
func (r *readings) full(name string) bool {
	return r.all || strings.HasPrefix(name, "../") || slices.Contains(r.files, name) || slices.Contains(r.dirs, path.Dir(name)) ||
		slices.ContainsFunc(r.folders, func(dir string) bool { return dir == "." || strings.HasPrefix(name, dir+"/") })
}

// generatedFile follows https://go.dev/s/generatedcode.
var generatedFile = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// declarations returns a Go file without the bodies of its functions; one that
// does not parse is returned whole.
func declarations(src []byte) []byte {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", src, parser.SkipObjectResolution|parser.ParseComments)
	if err != nil {
		return src
	}
	var out bytes.Buffer
	from := 0
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
			out.Write(src[from:fset.Position(f.Body.Lbrace).Offset])
			from = fset.Position(f.Body.Rbrace).Offset
		}
	}
	out.Write(src[from:])
	return out.Bytes()
}

// readingsOf reads all directives of a module.
func readingsOf(s *goSources) *readings {
	r := &readings{}
	m := newModuleFiles(s.tree)
	for name, data := range s.contents {
		for line := range strings.Lines(string(data)) {
			if words, ok := strings.CutPrefix(line, "//go:generate"); ok {
				r.dirs = append(r.dirs, path.Dir(name))
				r.directive(m, path.Dir(name), strings.Fields(words))
			}
		}
	}
	return r
}

// directive adds what one directive in the folder dir reads.
func (r *readings) directive(m *moduleFiles, dir string, words []string) {
	if len(words) == 0 || !knownCommand(words) {
		r.all = true
		return
	}
	for i, word := range words {
		switch at := m.resolve(dir, word); {
		case strings.Contains(word, "..."), strings.Contains(word, "$"):
			r.all = true
		case m.files[at]:
			r.files = append(r.files, at)
		case at != "" && m.dirs[at]:
			r.folders = append(r.folders, m.closure(at)...)
		case i == 2 && words[1] == "tool":
			r.folders = append(r.folders, m.closure(m.tool(word))...)
		}
	}
}

// knownCommand tells a generator that reads what it is told from a script,
// which may read anything.
func knownCommand(words []string) bool {
	switch first := words[0]; first {
	case "go":
		return len(words) > 2 && (words[1] == "tool" || words[1] == "run")
	case "sh", "bash", "env", "make", "docker", "podman", "bazel", "just", "task":
		return false
	default:
		return !strings.HasPrefix(first, "-") && !strings.ContainsAny(first, `/\"`)
	}
}

// moduleFiles knows the files and packages of a module.
type moduleFiles struct {
	dir    string
	module string
	tools  []string
	files  map[string]bool
	dirs   map[string]bool
}

func newModuleFiles(tree *source.Tree) *moduleFiles {
	m := &moduleFiles{dir: tree.Dir, files: map[string]bool{}, dirs: map[string]bool{}}
	for _, f := range tree.Files {
		m.files[f.Path] = true
		for dir := path.Dir(f.Path); !m.dirs[dir]; dir = path.Dir(dir) {
			m.dirs[dir] = true
		}
	}
	data, err := os.ReadFile(filepath.Join(tree.Dir, "go.mod"))
	if err != nil {
		return m
	}
	if mod, err := modfile.ParseLax("go.mod", data, nil); err == nil && mod.Module != nil {
		m.module = mod.Module.Mod.Path
	}
	if mod, err := modfile.Parse("go.mod", data, nil); err == nil {
		for _, t := range mod.Tool {
			m.tools = append(m.tools, t.Path)
		}
	}
	return m
}

// resolve returns the path in the module that a word of a directive in the
// folder dir may mean: a path, an import path, or the value of a flag; "" when
// it means none.
func (m *moduleFiles) resolve(dir, word string) string {
	if _, value, ok := strings.Cut(word, "="); ok && strings.HasPrefix(word, "-") {
		word = value
	}
	if rel := m.folder(word); rel != "" {
		return rel
	}
	if word == "" || strings.HasPrefix(word, "-") || path.IsAbs(word) {
		return ""
	}
	return path.Join(dir, word)
}

// folder returns where a package of the module lies, "" for one of another.
func (m *moduleFiles) folder(importPath string) string {
	if m.module == "" {
		return ""
	}
	if importPath == m.module {
		return "."
	}
	rel, ok := strings.CutPrefix(importPath, m.module+"/")
	if !ok {
		return ""
	}
	return rel
}

// tool returns the folder of a tool of go.mod that is part of the module.
func (m *moduleFiles) tool(name string) string {
	for _, t := range m.tools {
		if t == name || path.Base(t) == name {
			return m.folder(t)
		}
	}
	return ""
}

// closure returns a folder, those below it, and those of the packages of the
// module that they import, directly or not.
func (m *moduleFiles) closure(dir string) []string {
	if dir == "" {
		return nil
	}
	var folders []string
	for d := range m.dirs {
		if d == dir || dir == "." || strings.HasPrefix(d, dir+"/") {
			folders = append(folders, d)
		}
	}
	return gotool.Closure(m.dir, folders...)
}
