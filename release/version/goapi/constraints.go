package goapi

import (
	"fmt"
	"go/types"
	"maps"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/release/version"
)

// typeSet is what an interface allows as a type argument: the types of the
// terms (nil: any type) which have the methods, and are comparable if so said.
type typeSet struct {
	terms      map[string]bool // "int", "~int"
	methods    map[string]string
	comparable bool
	// recursive says that a term or method mentions a type parameter, from
	// which the compiler infers arguments.
	recursive bool
}

func newTypeSet(t types.Type) typeSet {
	s := typeSet{methods: map[string]string{}}
	s.add(t)
	return s
}

func (s *typeSet) add(t types.Type) {
	i, ok := t.Underlying().(*types.Interface)
	if !ok {
		s.intersect([]*types.Term{types.NewTerm(false, t)})
		return
	}
	if n, ok := t.(*types.Named); ok && n.Obj().Pkg() == nil && n.Obj().Name() == "comparable" {
		s.comparable = true
		return
	}
	for m := range i.ExplicitMethods() {
		if m.Name() != mark {
			s.methods[m.Name()] = s.text(m.Type())
		}
	}
	for e := range i.EmbeddedTypes() {
		if u, ok := e.(*types.Union); ok {
			s.intersect(slices.Collect(u.Terms()))
			continue
		}
		s.add(e)
	}
}

// intersect keeps the terms that are in both; a term which is an interface
// stands for its own.
func (s *typeSet) intersect(list []*types.Term) {
	terms := map[string]bool{}
	for _, t := range list {
		if _, ok := t.Type().Underlying().(*types.Interface); ok {
			inner := newTypeSet(t.Type())
			if inner.terms == nil {
				return // a union with something that allows all allows all
			}
			maps.Copy(terms, inner.terms)
			s.recursive = s.recursive || inner.recursive
			continue
		}
		text := s.text(t.Type())
		if t.Tilde() {
			text = "~" + text
		}
		terms[text] = true
	}
	if s.terms != nil {
		maps.DeleteFunc(terms, func(t string, _ bool) bool { return !s.terms[t] && !s.terms["~"+t] })
	}
	s.terms = terms
}

// text writes a type, the same in both worlds: type parameters have their names
// from their position.
func (s *typeSet) text(t types.Type) string {
	s.recursive = s.recursive || mentionsParam(t, nil)
	return types.TypeString(t, func(p *types.Package) string { return p.Path() })
}

// mentionsParam reports whether a type is made with a type parameter.
func mentionsParam(t types.Type, seen []types.Type) bool {
	if slices.Contains(seen, t) {
		return false
	}
	seen = append(seen, t)
	in := func(t types.Type) bool { return mentionsParam(t, seen) }
	switch t := t.(type) {
	case *types.TypeParam:
		return true
	case *types.Named:
		return slices.ContainsFunc(slices.Collect(t.TypeArgs().Types()), in)
	case *types.Map:
		return in(t.Key()) || in(t.Elem())
	case interface{ Elem() types.Type }: // pointer, slice, array, channel
		return in(t.Elem())
	case *types.Signature:
		return in(t.Params()) || in(t.Results())
	case *types.Tuple:
		return slices.ContainsFunc(slices.Collect(t.Variables()), func(v *types.Var) bool { return in(v.Type()) })
	case *types.Struct:
		return slices.ContainsFunc(slices.Collect(t.Fields()), func(v *types.Var) bool { return in(v.Type()) })
	}
	return false
}

// allows reports whether every type in o is in s as well, as far as that can be
// told from the text of types.
func (s typeSet) allows(o typeSet) bool {
	for m, t := range s.methods {
		if o.methods[m] != t {
			return false
		}
	}
	if s.comparable && !o.comparable && !o.basic() {
		return false
	}
	if s.terms == nil {
		return true
	}
	for t := range o.terms {
		if !s.terms[t] && !s.terms["~"+t] {
			return false
		}
	}
	return o.terms != nil
}

// basic reports whether all terms are basic types, which are comparable.
func (s typeSet) basic() bool {
	for t := range s.terms {
		if obj := types.Universe.Lookup(strings.TrimPrefix(t, "~")); obj == nil {
			return false
		}
	}
	return s.terms != nil
}

// compareConstraints compares the type parameters of what both worlds declare.
func compareConstraints(r *report, old, new *world) {
	for _, name := range sortedKeys(old.constraints) {
		was, is := old.constraints[name], new.constraints[name]
		obj := new.pkg.Scope().Lookup(name)
		if obj == nil || old.pkg.Scope().Lookup(name) == nil {
			continue // not there any more: apidiff's
		}
		if len(was) != len(is) {
			r.add("TYPE_PARAMETERS_CHANGED", name, fmt.Sprintf("had %d type parameters and has %d", len(was), len(is)), version.Major)
			continue
		}
		for i := range was {
			compareConstraint(r, name, i, newTypeSet(was[i]), newTypeSet(is[i]))
		}
	}
	for _, name := range sortedKeys(new.constraints) {
		o := old.pkg.Scope().Lookup(name)
		if _, had := old.constraints[name]; o != nil && !had {
			r.add("TYPE_PARAMETERS_CHANGED", name, fmt.Sprintf("had no type parameters and has %d", len(new.constraints[name])), version.Major)
		}
	}
}

func compareConstraint(r *report, name string, i int, was, is typeSet) {
	more, less := !was.allows(is), !is.allows(was)
	which := fmt.Sprintf("type parameter %d", i+1)
	switch {
	case less:
		r.add("CONSTRAINT_TIGHTENED", name, which+" does not allow every type that it did", version.Major)
	case more && (was.recursive || is.recursive):
		// The compiler infers from what is gone: calls may have to spell it out.
		r.add("CONSTRAINT_CHANGED", name, which+" has another form, from which other type arguments are inferred", version.Major)
	case more:
		r.add("CONSTRAINT_LOOSENED", name, which+" allows more types", version.Minor)
	}
}

// compareTypeSets compares the exported interfaces that serve as constraints.
// There is no harmless change: generic code of importers relies on what all
// types of the set can do, and instantiates with each of them.
func compareTypeSets(r *report, old, new *world) {
	for _, name := range old.pkg.Scope().Names() {
		o, n := old.pkg.Scope().Lookup(name), new.pkg.Scope().Lookup(name)
		if n == nil || !isInterface(o) || !isInterface(n) {
			continue
		}
		was, is := newTypeSet(o.Type()), newTypeSet(n.Type())
		was.methods, is.methods = nil, nil // apidiff's
		if !was.allows(is) || !is.allows(was) {
			r.add("TYPE_SET_CHANGED", name, "is satisfied by other types than before", version.Major)
		}
	}
}

func isInterface(obj types.Object) bool {
	_, ok := obj.(*types.TypeName)
	return ok && types.IsInterface(obj.Type())
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
