package goapi

import (
	"cmp"
	"fmt"
	"go/types"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"golang.org/x/exp/apidiff"

	"gitlab.com/selfcontained/pipeline/release/version"
)

// Compare returns how the new interface differs from the old one, each change
// with what it asks for at the least; the heaviest first, then by place.
//
// Beside what changes in packages:
//   - MODULE_PATH (major): importers have to write another path, also for a
//     major suffix alone.
//   - GO_DIRECTIVE (minor): importers need a newer Go. That is a requirement of
//     the build like another one, no change of the interface; but it does not
//     belong into a patch.
//   - REQUIREMENT (patch): another minimal version of a dependency whose types
//     the interface shows. These types are compared too, as far as they show;
//     a change there that breaks importers is a breaking one here.
//   - A constant that is the module's own version ("1.4.2" before and after) may
//     change.
func Compare(old, new *API) []version.Change {
	r := &report{old: old, new: new, found: map[version.Change][]Platform{},
		place: regexp.MustCompile(`[\pL_][\pL\d_]*⟦[^⟧]*⟧`),
		mark:  regexp.MustCompile(`; ` + mark + `\([^()]*\)|` + mark + `\([^()]*\)(; )?`),
	}
	r.compareModules()
	done := map[[2]*view][]version.Change{}
	for _, p := range old.platforms() {
		was, is := old.views[p], new.views[p]
		if is == nil || was.err != nil {
			continue
		}
		pair := [2]*view{was, is}
		if _, ok := done[pair]; !ok {
			done[pair] = r.compareViews(was, is)
		}
		for _, c := range done[pair] {
			r.found[c] = append(r.found[c], p)
		}
	}
	return r.changes()
}

// report collects changes.
type report struct {
	old, new         *API
	oldWorld         *world
	newWorld         *world
	current, general []version.Change
	found            map[version.Change][]Platform
	place, mark      *regexp.Regexp // a mangled name; the mark of an interface
}

// add notes a change of a declaration, by its mangled name.
func (r *report) add(rule, name, text string, b version.Bump) {
	r.note(rule, r.where(name), text, b)
}

func (r *report) note(rule, where, text string, b version.Bump) {
	c := version.Change{Rule: rule, Where: where, Text: text, Bump: b}
	if !slices.Contains(r.current, c) {
		r.current = append(r.current, c)
	}
}

// compareModules compares what go.mod says.
func (r *report) compareModules() {
	if r.old.Module != r.new.Module {
		r.note("MODULE_PATH", r.new.Module, "the module path was "+r.old.Module, version.Major)
	}
	// Without a directive it is 1.16 (go.dev/ref/mod, "go directive").
	if was := cmp.Or(r.old.Go, "1.16"); newerGo(was, r.new.Go) {
		r.note("GO_DIRECTIVE", r.new.Module, fmt.Sprintf("needs Go %s, %s was enough", r.new.Go, was), version.Minor)
	}
	r.general, r.current = r.current, nil
}

func newerGo(old, new string) bool {
	o, _ := semver.NewVersion(old)
	n, _ := semver.NewVersion(new)
	return o != nil && n != nil && n.GreaterThan(o)
}

// compareViews compares what two platforms see.
func (r *report) compareViews(was, is *view) []version.Change {
	r.current = nil
	if is.err != nil {
		r.note("PLATFORM_NO_BUILD", r.new.Module, "cannot be imported any more: "+is.err.Error(), version.Major)
		return r.current
	}
	changed := changedModules(was, is)
	r.oldWorld, r.newWorld = newWorld(r.old.Module, was, changed), newWorld(r.new.Module, is, changed)
	r.newWorld.insertForeign()
	r.comparePackages(was, is)
	r.compareObjects()
	compareConstraints(r, r.oldWorld, r.newWorld)
	compareTypeSets(r, r.oldWorld, r.newWorld)
	compareSatisfaction(r, r.oldWorld, r.newWorld)
	r.compareUnkeyed()
	r.compareRequirements()
	return r.current
}

// changedModules returns the dependencies that are there in two versions.
func changedModules(was, is *view) map[string]bool {
	changed := map[string]bool{}
	for m, v := range was.version {
		if other, ok := is.version[m]; ok && other != v {
			changed[m] = true
		}
	}
	return changed
}

func (r *report) comparePackages(was, is *view) {
	for rel, p := range was.packages {
		switch q := is.packages[rel]; {
		case q == nil:
			r.note("PACKAGE_REMOVED", path.Join(r.old.Module, rel), "the package cannot be imported any more", version.Major)
		case p.Name() != q.Name():
			r.note("PACKAGE_NAME", path.Join(r.old.Module, rel), "the package was called "+p.Name()+" and is called "+q.Name(), version.Major)
		}
	}
	for rel := range is.packages {
		if was.packages[rel] == nil {
			r.note("PACKAGE_ADDED", path.Join(r.new.Module, rel), "the package is new", version.Minor)
		}
	}
}

// compareObjects has apidiff compare the worlds. Should it fail over a form of
// type that it does not know, that counts as breaking: the interface is then
// not shown to be the same.
func (r *report) compareObjects() {
	defer func() {
		if p := recover(); p != nil {
			r.note("NOT_COMPARED", r.new.Module, fmt.Sprintf("apidiff cannot compare the two: %v; look at the change by hand", p), version.Major)
		}
	}()
	for _, c := range apidiff.Changes(r.oldWorld.pkg, r.newWorld.pkg).Changes {
		r.take(c)
	}
}

// compareUnkeyed looks at the fields of structs that the old version's own
// tests build without naming them.
func (r *report) compareUnkeyed() {
	for _, name := range r.oldWorld.pkg.Scope().Names() {
		s := r.oldWorld.symbols[name]
		if !r.old.unkeyed[s.path+"."+s.name] {
			continue
		}
		was, is := fieldNames(r.oldWorld, name), fieldNames(r.newWorld, name)
		if was != nil && is != nil && !slices.Equal(was, is) {
			r.add("UNKEYED_FIELDS", name, "has other fields, or in another order, and the old tests build it without naming them", version.Major)
		}
	}
}

func fieldNames(w *world, name string) []string {
	obj := w.pkg.Scope().Lookup(name)
	if obj == nil {
		return nil
	}
	s, ok := obj.Type().Underlying().(*types.Struct)
	if !ok {
		return nil
	}
	names := []string{}
	for f := range s.Fields() {
		names = append(names, f.Name())
	}
	return names
}

func (r *report) compareRequirements() {
	was := r.oldWorld.shownDependencies()
	for _, is := range r.newWorld.shownDependencies() {
		i := slices.IndexFunc(was, func(d dependency) bool { return d.path == is.path })
		if i >= 0 && was[i].version != is.version {
			r.note("REQUIREMENT", r.new.Module, fmt.Sprintf("shows types of %s and requires %s of it, %s before", is.path, is.version, was[i].version), version.Patch)
		}
	}
}

// changes returns everything that was found. A change that not all platforms
// have names its own.
func (r *report) changes() []version.Change {
	all := slices.Clone(r.general)
	for c, on := range r.found {
		if len(on) < len(r.old.views) {
			var names []string
			for _, p := range on {
				names = append(names, p.String())
			}
			slices.Sort(names)
			c.Text += " (on " + strings.Join(names, ", ") + ")"
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b version.Change) int {
		return cmp.Or(cmp.Compare(b.Bump, a.Bump), strings.Compare(a.Where, b.Where), strings.Compare(a.Rule, b.Rule), strings.Compare(a.Text, b.Text))
	})
	return all
}
