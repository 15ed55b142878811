package goapi

import (
	"go/types"

	"gitlab.com/selfcontained/pipeline/release/version"
)

// compareSatisfaction finds types of the module that satisfied one of its
// interfaces and do so no more, be it for a method that is not exported:
// importers can no longer assign the one to the other.
func compareSatisfaction(r *report, old, new *world) {
	interfaces := old.pairs(new, true)
	for _, t := range old.pairs(new, false) {
		was, is := newMethods(t.old), newMethods(t.new)
		for _, i := range interfaces {
			if was.satisfy(i.old) && !is.satisfy(i.new) {
				r.add("NOT_IMPLEMENTED", t.name, "does not implement "+r.readable(i.name)+" any more", version.Major)
			}
		}
	}
}

// pair is a type in two worlds.
type pair struct {
	name     string
	old, new types.Type
}

// pairs returns the non-generic types that both worlds have under one name,
// sorted by it: interfaces that are not for constraints alone, or all types.
func (w *world) pairs(new *world, interfaces bool) []pair {
	was, is := w.types(), new.types()
	var list []pair
	for _, name := range sortedKeys(was) {
		o, n := was[name], is[name]
		if n == nil || interfaces && (!usable(o) || !usable(n)) {
			continue
		}
		list = append(list, pair{name, o, n})
	}
	return list
}

// types returns the defined types of a world by name, and the aliases of such.
func (w *world) types() map[string]types.Type {
	list := map[string]types.Type{}
	for _, n := range w.named {
		list[n.Obj().Name()] = n
	}
	for _, name := range w.pkg.Scope().Names() {
		if t, ok := w.pkg.Scope().Lookup(name).(*types.TypeName); ok {
			list[name] = t.Type()
		}
	}
	for name, t := range list {
		if n, ok := t.(*types.Named); !ok || n.TypeParams().Len() > 0 {
			delete(list, name)
		}
	}
	return list
}

// usable reports whether a type is an interface that variables can have.
func usable(t types.Type) bool {
	i, ok := t.Underlying().(*types.Interface)
	return ok && i.IsMethodSet()
}

// methods are those of a type, and of pointers to it, by identity of the name.
type methods map[string]types.Type

func newMethods(t types.Type) methods {
	m := methods{}
	if !types.IsInterface(t) {
		t = types.NewPointer(t)
	}
	set := types.NewMethodSet(t)
	for i := range set.Len() {
		m[set.At(i).Obj().Id()] = set.At(i).Type()
	}
	return m
}

// satisfy reports whether a type with these methods can be assigned to an
// interface, not counting the mark.
func (m methods) satisfy(iface types.Type) bool {
	i := iface.Underlying().(*types.Interface)
	for want := range i.Methods() {
		if want.Name() == mark {
			continue
		}
		has := m[want.Id()]
		if has == nil || !types.Identical(has, want.Type()) {
			return false
		}
	}
	return true
}
