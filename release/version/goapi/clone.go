package goapi

import (
	"go/token"
	"go/types"
	"strings"
)

// clone returns the world's type for one of the source.
func (w *world) clone(t types.Type) types.Type {
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		return w.instance(t)
	case *types.TypeParam:
		return w.param(t)
	case *types.Pointer:
		return types.NewPointer(w.clone(t.Elem()))
	case *types.Slice:
		return types.NewSlice(w.clone(t.Elem()))
	case *types.Array:
		return types.NewArray(w.clone(t.Elem()), t.Len())
	case *types.Map:
		return types.NewMap(w.clone(t.Key()), w.clone(t.Elem()))
	case *types.Chan:
		return types.NewChan(t.Dir(), w.clone(t.Elem()))
	case *types.Struct:
		return w.structure(t)
	case *types.Signature:
		return w.signature(t, nil)
	case *types.Interface:
		return w.iface(t, nil)
	case *types.Union:
		return w.union(t)
	default: // basic types
		return t
	}
}

// instance clones a defined type, generic or not.
func (w *world) instance(t *types.Named) types.Type {
	origin := t.Origin()
	if w.ours(origin.Obj()) {
		origin = w.origin(origin)
	}
	if t.TypeArgs().Len() == 0 {
		return origin
	}
	var args []types.Type
	for arg := range t.TypeArgs().Types() {
		args = append(args, w.clone(arg))
	}
	return instantiate(origin, args)
}

// instantiate does not check the arguments: constraints are not those of the source.
func instantiate(origin *types.Named, args []types.Type) types.Type {
	t, err := types.Instantiate(nil, origin, args, false)
	if err != nil {
		return origin
	}
	return t
}

// origin clones the declaration of a defined type.
func (w *world) origin(t *types.Named) *types.Named {
	if n, ok := w.named[t]; ok {
		return n
	}
	name := w.mangle(t.Obj())
	n := types.NewNamed(types.NewTypeName(t.Obj().Pos(), w.pkg, name, nil), nil, nil)
	w.named[t] = n
	n.SetTypeParams(w.typeParams(t.TypeParams()))
	w.noteConstraints(name, t.TypeParams())
	if i, ok := t.Underlying().(*types.Interface); ok {
		n.SetUnderlying(w.iface(i, n))
	} else {
		n.SetUnderlying(w.clone(t.Underlying()).Underlying())
	}
	for m := range t.Methods() {
		n.AddMethod(types.NewFunc(m.Pos(), w.pkg, m.Name(), w.signature(m.Signature(), n)))
	}
	return n
}

// typeParams clones a declaration's type parameters. They get names by their
// position, and all are comparable.
func (w *world) typeParams(list *types.TypeParamList) []*types.TypeParam {
	var params []*types.TypeParam
	for p := range list.TypeParams() {
		params = append(params, w.param(p))
	}
	return params
}

func (w *world) param(p *types.TypeParam) *types.TypeParam {
	if c, ok := w.params[p]; ok {
		return c
	}
	name := types.NewTypeName(p.Obj().Pos(), w.pkg, "T"+strings.Repeat("'", p.Index()), nil)
	c := types.NewTypeParam(name, types.Universe.Lookup("comparable").Type())
	w.params[p] = c
	return c
}

// signature clones a function's type; with a defined type, that of its method.
func (w *world) signature(s *types.Signature, of *types.Named) *types.Signature {
	var recv *types.Var
	var recvParams []*types.TypeParam
	if of != nil && s.Recv() != nil {
		recvParams = w.typeParams(s.RecvTypeParams())
		t := types.Type(of)
		if len(recvParams) > 0 {
			var args []types.Type
			for _, p := range recvParams {
				args = append(args, p)
			}
			t = instantiate(of, args)
		}
		if _, ok := types.Unalias(s.Recv().Type()).(*types.Pointer); ok {
			t = types.NewPointer(t)
		}
		recv = types.NewParam(token.NoPos, w.pkg, "", t)
	}
	var params []*types.TypeParam
	if of == nil {
		params = w.typeParams(s.TypeParams())
	}
	return types.NewSignatureType(recv, recvParams, params, w.tuple(s.Params()), w.tuple(s.Results()), s.Variadic())
}

func (w *world) tuple(t *types.Tuple) *types.Tuple {
	var vars []*types.Var
	for v := range t.Variables() {
		vars = append(vars, types.NewParam(v.Pos(), w.pkg, "", w.clone(v.Type())))
	}
	return types.NewTuple(vars...)
}

func (w *world) structure(s *types.Struct) *types.Struct {
	var fields []*types.Var
	var tags []string
	for i := range s.NumFields() {
		f := s.Field(i)
		fields = append(fields, types.NewField(f.Pos(), w.pkg, f.Name(), w.clone(f.Type()), f.Embedded()))
		tags = append(tags, s.Tag(i))
	}
	return types.NewStruct(fields, tags)
}

// iface clones an interface. The receiver of its methods is the defined type
// that it belongs to, if any.
func (w *world) iface(i *types.Interface, of *types.Named) *types.Interface {
	var methods []*types.Func
	for m := range i.ExplicitMethods() {
		s := w.signature(m.Signature(), nil)
		if of != nil {
			s = types.NewSignatureType(types.NewParam(token.NoPos, w.pkg, "", of), nil, nil, s.Params(), s.Results(), s.Variadic())
		}
		methods = append(methods, types.NewFunc(m.Pos(), w.pkg, m.Name(), s))
	}
	var embedded []types.Type
	for t := range i.EmbeddedTypes() {
		inner, ok := types.Unalias(t).(*types.Interface)
		if ok && of != nil {
			// A method's receiver has to be a defined type for apidiff.
			embedded = append(embedded, w.iface(inner, of))
			continue
		}
		embedded = append(embedded, w.clone(t))
	}
	if of != nil {
		methods = append(methods, w.markOf(of))
	}
	c := types.NewInterfaceType(methods, embedded)
	if i.IsImplicit() {
		c.MarkImplicit()
	}
	w.interfaces = append(w.interfaces, c)
	return c
}

func (w *world) markOf(n *types.Named) *types.Func {
	self := types.Type(n)
	if n.TypeParams().Len() > 0 {
		var args []types.Type
		for p := range n.TypeParams().TypeParams() {
			args = append(args, p)
		}
		self = instantiate(n, args)
	}
	recv, param := types.NewParam(token.NoPos, w.pkg, "", n), types.NewParam(token.NoPos, w.pkg, "", self)
	return types.NewFunc(token.NoPos, w.pkg, mark, types.NewSignatureType(recv, nil, nil, types.NewTuple(param), nil, false))
}

func (w *world) union(u *types.Union) *types.Union {
	var terms []*types.Term
	for t := range u.Terms() {
		terms = append(terms, types.NewTerm(t.Tilde(), w.clone(t.Type())))
	}
	return types.NewUnion(terms)
}
