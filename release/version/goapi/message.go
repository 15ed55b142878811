package goapi

import (
	"go/constant"
	"go/types"
	"path"
	"strings"

	"github.com/Masterminds/semver/v3"
	"golang.org/x/exp/apidiff"

	"gitlab.com/selfcontained/pipeline/release/version"
)

// take turns a message of apidiff, "PLACE: TEXT", into a change.
func (r *report) take(c apidiff.Change) {
	name, text, _ := strings.Cut(c.Message, ": ")
	bump := version.Minor
	if !c.Compatible {
		bump = version.Major
	}
	s, known := r.symbol(name)
	switch {
	case known && c.Compatible && s.foreign:
		return // what a dependency gains is not ours
	case known && !s.foreign && r.wholePackage(s, c.Compatible):
		return
	case strings.HasPrefix(text, "value changed") && r.ownVersion(name):
		return
	}
	if known && s.foreign {
		text += " (in the version of the dependency that is required now)"
	}
	r.add(rule(text, c.Compatible), name, sentence(r.readable(text), c.Compatible), bump)
}

// wholePackage reports whether a package is gone or new as a whole: then its
// names are not listed.
func (r *report) wholePackage(s symbol, added bool) bool {
	was, is := r.oldWorld.view.packages[s.path] != nil, r.newWorld.view.packages[s.path] != nil
	return was && !is && !added || !was && is && added
}

// ownVersion reports whether a constant is a semantic version in both worlds.
func (r *report) ownVersion(name string) bool {
	for _, w := range []*world{r.oldWorld, r.newWorld} {
		c, ok := w.pkg.Scope().Lookup(name).(*types.Const)
		if !ok || c.Val().Kind() != constant.String {
			return false
		}
		if _, err := semver.StrictNewVersion(strings.TrimPrefix(constant.StringVal(c.Val()), "v")); err != nil {
			return false
		}
	}
	return true
}

// rule names a message of apidiff.
func rule(text string, compatible bool) string {
	for _, r := range []struct{ start, rule string }{
		{"removed direction", "DIRECTION_REMOVED"},
		{"removed", "REMOVED"},
		{"added unexported method", "UNEXPORTED_METHOD_ADDED"},
		{"changed direction", "DIRECTION_CHANGED"},
		{"changed from", "TYPE_CHANGED"},
		{"value changed", "VALUE_CHANGED"},
		{"old is comparable", "NOT_COMPARABLE"},
	} {
		if strings.HasPrefix(text, r.start) {
			return r.rule
		}
	}
	if compatible {
		return "ADDED"
	}
	return "INTERFACE_METHOD_ADDED"
}

// sentence writes a message of apidiff as one.
func sentence(text string, compatible bool) string {
	switch {
	case text == "added" && !compatible:
		return "was added, and those who implement the interface lack it"
	case text == "old is comparable, new is not":
		return "was comparable, and is not any more"
	case text == "removed", text == "added":
		return "was " + text
	}
	return text
}

// symbol returns what the first mangled name in a place stands for.
func (r *report) symbol(name string) (symbol, bool) {
	mangled := r.place.FindString(name)
	if s, ok := r.oldWorld.symbols[mangled]; ok {
		return s, true
	}
	s, ok := r.newWorld.symbols[mangled]
	return s, ok
}

// where returns a place as people write it: "example.com/shop/cart.Cart.Add".
func (r *report) where(name string) string {
	s, ok := r.symbol(name)
	if !ok {
		return name
	}
	symbolName := r.place.ReplaceAllStringFunc(name, func(m string) string {
		s, _ := r.symbol(m)
		return s.name
	})
	if s.foreign {
		return s.path + "." + symbolName
	}
	return path.Join(r.new.Module, s.path) + "." + symbolName
}

// readable writes "cart.Cart" for the types in a text.
func (r *report) readable(text string) string {
	text = r.mark.ReplaceAllString(text, "")
	return r.place.ReplaceAllStringFunc(text, func(m string) string {
		s, ok := r.symbol(m)
		if !ok {
			return m
		}
		importPath := s.path
		if !s.foreign {
			importPath = path.Join(r.new.Module, s.path)
		}
		return baseName(importPath) + "." + s.name
	})
}
