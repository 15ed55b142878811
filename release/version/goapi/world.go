package goapi

import (
	"go/types"

	"golang.org/x/mod/module"
)

// A world is the whole interface of a module as one package, which is what
// apidiff compares. Comparing package by package would miss what importers
// reach through a name but which is declared elsewhere (in an internal package,
// in another version of a dependency), and would see a difference where a type
// only moved and left an alias behind.
//
// Names of importable packages become "Name⟦path⟧", with the path relative to
// the module. What nobody can name gets a name that is not exported, so that it
// may be renamed and moved. Types of dependencies that changed keep their
// identity, and are compared as far as the interface shows them; all others stay
// what they are. In constraints everything is comparable: they are compared
// apart, in constraints.go.
type world struct {
	pkg     *types.Package
	module  string
	view    *view
	changed map[string]bool // modules of which old and new have different versions

	symbols     map[string]symbol
	named       map[*types.Named]*types.Named
	params      map[*types.TypeParam]*types.TypeParam
	constraints map[string][]types.Type // of a declaration, by mangled name
	shown       map[string]bool         // modules whose types the interface shows
	interfaces  []*types.Interface
}

// symbol is what a mangled name stands for.
type symbol struct {
	path, name string // path is relative to the module unless foreign
	foreign    bool
}

// newWorld makes the world of one view.
func newWorld(modulePath string, v *view, changed map[string]bool) *world {
	w := &world{
		pkg:    types.NewPackage(modulePath, "world"),
		module: modulePath, view: v, changed: changed,
		symbols: map[string]symbol{}, named: map[*types.Named]*types.Named{}, params: map[*types.TypeParam]*types.TypeParam{},
		constraints: map[string][]types.Type{}, shown: map[string]bool{},
	}
	for _, pkg := range v.packages {
		for _, name := range pkg.Scope().Names() {
			if obj := pkg.Scope().Lookup(name); obj.Exported() {
				w.pkg.Scope().Insert(w.declare(obj))
			}
		}
	}
	for _, i := range w.interfaces {
		i.Complete()
	}
	return w
}

// mark is a method that each defined interface of a world has, with itself as
// the parameter, and no other type. So apidiff finds nothing that satisfies an
// interface: it would report one lost interface for each type, and write to
// standard output when there are more. Satisfaction is compared in satisfy.go.
const mark = "Mark·"

// insertForeign makes the types of dependencies known by their names. Only in
// the new world: there an old one looks for its like, and what the old world
// does not show is not missed in the new one.
func (w *world) insertForeign() {
	for _, n := range w.named {
		if w.symbols[n.Obj().Name()].foreign && n.Obj().Exported() {
			w.pkg.Scope().Insert(n.Obj())
		}
	}
}

// declare returns the object of an exported declaration.
func (w *world) declare(obj types.Object) types.Object {
	name := w.mangle(obj)
	switch obj := obj.(type) {
	case *types.Const:
		return types.NewConst(obj.Pos(), w.pkg, name, w.clone(obj.Type()), obj.Val())
	case *types.Var:
		return types.NewVar(obj.Pos(), w.pkg, name, w.clone(obj.Type()))
	case *types.Func:
		w.noteConstraints(name, obj.Signature().TypeParams())
		return types.NewFunc(obj.Pos(), w.pkg, name, w.signature(obj.Signature(), nil))
	}
	if obj.(*types.TypeName).IsAlias() {
		if a, ok := obj.Type().(*types.Alias); ok {
			w.noteConstraints(name, a.TypeParams())
		}
		return types.NewTypeName(obj.Pos(), w.pkg, name, w.clone(obj.Type()))
	}
	return w.origin(obj.Type().(*types.Named)).Obj()
}

// mangle returns the name of an object in the world.
func (w *world) mangle(obj types.Object) string {
	importPath := obj.Pkg().Path()
	s := symbol{path: importPath, name: obj.Name(), foreign: w.view.module[importPath] != w.module}
	at := importPath
	if !s.foreign {
		s.path = relative(w.module, importPath)
		at = s.path
	}
	name := obj.Name() + "⟦" + at + "⟧"
	if !s.foreign && w.view.packages[s.path] == nil {
		name = "_" + name
	}
	w.symbols[name] = s
	return name
}

// ours reports whether a type is looked into, and notes where others are from.
func (w *world) ours(obj *types.TypeName) bool {
	if obj.Pkg() == nil {
		return false
	}
	from := w.view.module[obj.Pkg().Path()]
	if from == w.module {
		return true
	}
	if from != "" {
		w.shown[from] = true
	}
	return w.changed[from]
}

// noteConstraints keeps the constraints of a declaration.
func (w *world) noteConstraints(name string, list *types.TypeParamList) {
	if _, ok := w.constraints[name]; ok || list.Len() == 0 {
		return
	}
	w.constraints[name] = nil
	for p := range list.TypeParams() {
		w.constraints[name] = append(w.constraints[name], w.clone(p.Constraint()))
	}
}

// dependency is what a module requires of another.
type dependency struct{ path, version string }

// shownDependencies returns the dependencies whose types the interface shows.
func (w *world) shownDependencies() []dependency {
	var list []dependency
	for _, m := range sortedKeys(w.shown) {
		list = append(list, dependency{m, module.CanonicalVersion(w.view.version[m])})
	}
	return list
}
