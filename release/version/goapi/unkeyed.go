package goapi

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
)

// noteUnkeyed looks for struct types of the module that its own external tests
// and examples build without naming the fields: "shop.Point{1, 2}".
//
// Go promises nothing to those who write so about another module's type, and
// `go vet` warns them: a new field is a compatible change. But whoever shows it
// in examples has promised it.
func (a *API) noteUnkeyed(l *listed) {
	for _, name := range l.XTestGoFiles {
		// Only syntax is looked at: a test may need packages that are not there.
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(l.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			continue
		}
		imports := a.importsOf(f)
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.CompositeLit); ok {
				a.noteLiteral(imports, lit)
			}
			return true
		})
	}
}

// importsOf returns the module's packages in a file, by name. Where the import
// has no name, the last element of the path is taken for it.
func (a *API) importsOf(f *ast.File) map[string]string {
	imports := map[string]string{}
	for _, s := range f.Imports {
		importPath, err := strconv.Unquote(s.Path.Value)
		if err != nil || !within(a.Module, importPath) {
			continue
		}
		name := baseName(importPath)
		if s.Name != nil {
			name = s.Name.Name
		}
		imports[name] = relative(a.Module, importPath)
	}
	return imports
}

// noteLiteral takes a literal, and those within one of a slice, an array or a
// map, whose type is not repeated.
func (a *API) noteLiteral(imports map[string]string, lit *ast.CompositeLit) {
	a.noteType(imports, lit.Type, lit.Elts)
	var elem ast.Expr
	switch t := lit.Type.(type) {
	case *ast.ArrayType:
		elem = t.Elt
	case *ast.MapType:
		elem = t.Value
	}
	if star, ok := elem.(*ast.StarExpr); ok {
		elem = star.X
	}
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			e = kv.Value
		}
		if inner, ok := e.(*ast.CompositeLit); ok && inner.Type == nil {
			a.noteType(imports, elem, inner.Elts)
		}
	}
}

func (a *API) noteType(imports map[string]string, t ast.Expr, elements []ast.Expr) {
	s, ok := t.(*ast.SelectorExpr)
	if !ok || len(elements) == 0 {
		return
	}
	if _, keyed := elements[0].(*ast.KeyValueExpr); keyed {
		return
	}
	if x, ok := s.X.(*ast.Ident); ok {
		if rel, ok := imports[x.Name]; ok {
			a.unkeyed[rel+"."+s.Sel.Name] = true
		}
	}
}
