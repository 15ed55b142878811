package search

import (
	"fmt"
	"strings"
)

// label is a version of a changed service, or its absence: "stock 0.1.2",
// "no stock".
func (s *space) label(i int, version byte) string {
	if m := s.member(i, version); m != nil {
		return m.Service + " " + m.Version
	}
	return "no " + s.changes[i].Service
}

// names are the labels of all that a mix changes.
func (s *space) names(m mix) []string {
	names := []string{}
	for _, i := range m.list() {
		names = append(names, s.label(i, m[i]))
	}
	return names
}

// name is a mix in words: "cart 0.1.3 and stock 0.1.2".
func (s *space) name(m mix) string {
	switch names := s.names(m); {
	case len(names) == 0:
		return "the last good combination"
	case m == s.all && len(names) > 1:
		return "the candidate"
	default:
		return join(names)
	}
}

// join writes a list as a sentence does, a long one not to its end.
func join(names []string) string {
	n := len(names)
	switch {
	case n > 4:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), n-3)
	case n > 1:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

// allBut is a large mix in words: "all but stock 0.1.2".
func (s *space) allBut(m mix) string {
	held := s.all.minus(m)
	switch {
	case m == s.all:
		return "the candidate"
	case held.size() > m.size() || m == s.none:
		return s.name(m)
	}
	return "all but " + s.name(held)
}

// confirm is why a mix is asked about that is a culprit perhaps.
func (s *space) confirm(m mix) string {
	if m.size() > 1 {
		return "confirm " + s.name(m) + " together"
	}
	return "confirm " + s.name(m) + " alone"
}

// suspects tells why a step between what passes and what fails is asked about.
func (s *space) suspects(base mix) func(step, from, to int) string {
	with := ""
	if base != s.none {
		with = s.allBut(base) + " with "
	}
	return func(step, from, to int) string {
		if 2*(step-from) == to-from || 2*(step-from) == to-from-1 {
			return fmt.Sprintf("%shalf of %d changes", with, to-from)
		}
		return fmt.Sprintf("%s%d of %d changes", with, step-from, to-from)
	}
}
