package goapi

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
)

// checker type-checks the declarations of packages, each when it is first
// asked for.
type checker struct {
	listed map[string]*listed
	done   map[string]*types.Package
	files  *token.FileSet
	sizes  types.Sizes
}

func newChecker(arch string, packages map[string]*listed) *checker {
	return &checker{
		listed: packages, done: map[string]*types.Package{},
		files: token.NewFileSet(), sizes: types.SizesFor("gc", arch),
	}
}

// sorted returns the packages by import path.
func sorted(packages map[string]*listed) []*listed {
	var list []*listed
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		list = append(list, packages[name])
	}
	return list
}

// check returns the package of an import path.
func (c *checker) check(importPath string) (*types.Package, error) {
	if importPath == "unsafe" {
		return types.Unsafe, nil
	}
	if pkg, ok := c.done[importPath]; ok {
		return pkg, nil
	}
	l := c.listed[importPath]
	if l == nil {
		return nil, fmt.Errorf("package %s is imported, and go list does not know it; is the module complete?", importPath)
	}
	if l.Error != nil {
		return nil, fmt.Errorf("package %s%s: %s", importPath, advice(l.Error.Err), l.Error.Err)
	}
	var parsed []*ast.File
	for _, name := range slices.Concat(l.GoFiles, l.CgoFiles) {
		f, err := parser.ParseFile(c.files, filepath.Join(l.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("package %s does not compile: %w", importPath, err)
		}
		c.prune(l, f)
		parsed = append(parsed, f)
	}
	config := types.Config{
		IgnoreFuncBodies: true, FakeImportC: true, Sizes: c.sizes,
		Importer: importer{c, l}, GoVersion: l.goVersion(),
	}
	pkg, err := config.Check(importPath, c.files, parsed, nil)
	if err != nil {
		return nil, fmt.Errorf("package %s does not compile: %w", importPath, err)
	}
	c.done[importPath] = pkg
	return pkg, nil
}

func (l *listed) goVersion() string {
	if l.Module == nil || l.Module.GoVersion == "" {
		return ""
	}
	return "go" + l.Module.GoVersion
}

// importer resolves the imports of one package.
type importer struct {
	c *checker
	l *listed
}

func (i importer) Import(importPath string) (*types.Package, error) {
	return i.c.check(i.l.resolve(importPath))
}

// resolve applies the import map: the standard library has vendored packages.
func (l *listed) resolve(importPath string) string {
	if mapped, ok := l.ImportMap[importPath]; ok {
		return mapped
	}
	return importPath
}

// prune takes away what has no part in declarations: bodies, init functions,
// and the imports that nobody else uses.
func (c *checker) prune(l *listed, f *ast.File) {
	f.Decls = slices.DeleteFunc(f.Decls, func(d ast.Decl) bool {
		fn, ok := d.(*ast.FuncDecl)
		if ok {
			// A generic function must have one.
			fn.Body = &ast.BlockStmt{}
		}
		return ok && fn.Recv == nil && (fn.Name.Name == "init" || fn.Name.Name == "_")
	})
	used := usedNames(f)
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
			g.Specs = slices.DeleteFunc(g.Specs, func(s ast.Spec) bool {
				name := c.importName(l, s.(*ast.ImportSpec))
				return name != "." && name != "C" && !used[name]
			})
		}
	}
	f.Decls = slices.DeleteFunc(f.Decls, func(d ast.Decl) bool {
		g, ok := d.(*ast.GenDecl)
		return ok && len(g.Specs) == 0
	})
}

// usedNames returns the names that stand before a dot.
func usedNames(f *ast.File) map[string]bool {
	used := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok {
				used[x.Name] = true
			}
		}
		return true
	})
	return used
}

// importName returns the name that an import has in its file.
func (c *checker) importName(l *listed, s *ast.ImportSpec) string {
	if s.Name != nil {
		return s.Name.Name
	}
	importPath, err := strconv.Unquote(s.Path.Value)
	if err != nil {
		return ""
	}
	if imported := c.listed[l.resolve(importPath)]; imported != nil && imported.Name != "" {
		return imported.Name
	}
	return path.Base(importPath)
}
