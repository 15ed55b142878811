// Package protoapi proves what a change of protobuf descriptors means to those
// who talk to a service or use code that is generated from its .proto files.
//
// The rules are our own and have the names of buf's (buf.build/docs/breaking),
// where buf has one: those of its PACKAGE category, in which a message may move
// to another file. Packages of buf cannot be linked into this program: they
// panic at start-up in any module but buf's. The real buf is the oracle of the
// tests instead. Where we differ from it:
//   - Files have no rule of their own but for the options that name generated
//     code: which file declares a message shows neither on the wire nor in code.
//   - FILE_SAME_SYNTAX is not asked for: a change of syntax or edition counts
//     by the features that it changes (presence, open enums, encoding).
//   - What is new asks for a minor version, and so does what is newly
//     deprecated (SemVer 2.0.0, section 7). Comments and sources do not count.
//
// It is pure, and does not resolve anything: imports may be missing.
package protoapi

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/descriptorpb"

	"gitlab.com/selfcontained/pipeline/release/version"
)

// Compare returns how the new descriptors differ from the old ones, each change
// with what it asks for at the least; the heaviest first, then by place. Hand in
// the files that a service provides; those of google.protobuf are left out.
// Descriptors that no compiler would accept are compared as far as they go.
func Compare(old, new *descriptorpb.FileDescriptorSet) []version.Change {
	r := &report{old: newIndex(old), new: newIndex(new)}
	r.comparePackages()
	r.compareFiles()
	each(r, r.old.messages, r.new.messages, "MESSAGE", r.compareMessage)
	each(r, r.old.enums, r.new.enums, "ENUM", r.compareEnum)
	each(r, r.old.services, r.new.services, "SERVICE", r.compareService)
	each(r, r.old.extensions, r.new.extensions, "EXTENSION", r.compareField)
	slices.SortFunc(r.changes, func(a, b version.Change) int {
		return cmp.Or(cmp.Compare(b.Bump, a.Bump), strings.Compare(a.Where, b.Where), strings.Compare(a.Rule, b.Rule), strings.Compare(a.Text, b.Text))
	})
	return slices.Compact(r.changes)
}

// report collects changes.
type report struct {
	old, new *index
	changes  []version.Change
}

func (r *report) add(b version.Bump, rule, where, format string, args ...any) {
	r.changes = append(r.changes, version.Change{Rule: rule, Where: where, Text: fmt.Sprintf(format, args...), Bump: b})
}

// same reports a breaking change of something that must stay as it was.
func (r *report) same(rule, where, what string, old, new any) {
	if old != new {
		r.add(version.Major, rule, where, "%s was %s and is %s", what, shown(old), shown(new))
	}
}

// shown writes a value; one that is not set is "none".
func shown(value any) string { return cmp.Or(fmt.Sprint(value), "none") }

// deprecates reports what is newly deprecated.
func (r *report) deprecates(kind, where string, old, new bool) {
	if new && !old {
		r.add(version.Minor, kind+"_DEPRECATED", where, "was deprecated")
	}
}

// element is what the maps of an index hold.
type element interface {
	// place is the file and the full name.
	place() string
	// in returns the protobuf package.
	in() string
	// counts says whether its coming and going is reported.
	counts() bool
}

// each compares what both sides have under one key, and reports what only one
// has, unless the whole package comes or goes.
func each[E element](r *report, old, new map[string]E, kind string, compare func(old, new E)) {
	for _, key := range sortedKeys(old) {
		o := old[key]
		n, ok := new[key]
		switch {
		case ok:
			compare(o, n)
		case o.counts() && r.new.packages[o.in()]:
			r.add(version.Major, "PACKAGE_"+kind+"_NO_DELETE", o.place(), "was removed")
		}
	}
	for _, key := range sortedKeys(new) {
		if _, ok := old[key]; !ok && new[key].counts() && r.old.packages[new[key].in()] {
			r.add(version.Minor, kind+"_ADDED", new[key].place(), "was added")
		}
	}
}

func (r *report) comparePackages() {
	for _, p := range sortedKeys(r.old.packages) {
		if !r.new.packages[p] {
			r.add(version.Major, "PACKAGE_NO_DELETE", cmp.Or(p, "(no package)"), "the package was removed")
		}
	}
	for _, p := range sortedKeys(r.new.packages) {
		if !r.old.packages[p] {
			r.add(version.Minor, "PACKAGE_ADDED", cmp.Or(p, "(no package)"), "the package was added")
		}
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
