package search

import (
	"cmp"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/release/scs"
)

// mix says which version of each changed service a combination has: one byte for
// each change, in the order of their services.
type mix string

const (
	keep  byte = iota // as in the good combination
	take              // as in the candidate
	older             // older+i is the version Options.Older[service][i]

	maxOlder = 200
)

// with returns the mix with another version for one change.
func (m mix) with(i int, version byte) mix {
	b := []byte(m)
	b[i] = version
	return mix(b)
}

// in reports whether all that m changes is changed in the same way by o.
func (m mix) in(o mix) bool {
	for i := range len(m) {
		if m[i] != keep && m[i] != o[i] {
			return false
		}
	}
	return true
}

// plus returns m with what o changes.
func (m mix) plus(o mix) mix {
	b := []byte(m)
	for i := range b {
		if o[i] != keep {
			b[i] = o[i]
		}
	}
	return mix(b)
}

// minus returns m without what o changes.
func (m mix) minus(o mix) mix {
	b := []byte(m)
	for i := range b {
		if o[i] != keep {
			b[i] = keep
		}
	}
	return mix(b)
}

// list returns the indexes of the changes that are in m.
func (m mix) list() []int {
	var at []int
	for i := range len(m) {
		if m[i] != keep {
			at = append(at, i)
		}
	}
	return at
}

// behind returns the indexes of the changes that are not in the candidate's
// version.
func (m mix) behind() []int {
	var at []int
	for i := range len(m) {
		if m[i] != take {
			at = append(at, i)
		}
	}
	return at
}

// size is the number of changes in m.
func (m mix) size() int { return len(m) - strings.Count(string(m), string(rune(keep))) }

// updates is the number of changes that m has in the candidate's version.
func (m mix) updates() int { return strings.Count(string(m), string(rune(take))) }

// space is the set of combinations between the good one and the candidate.
type space struct {
	good, candidate scs.Combination
	changes         []scs.Change
	unchanged       []scs.Member
	older           [][]scs.Member // for each change, newest first
	compatible      func(scs.Combination) bool

	none, all mix // nothing changed; the candidate
	fit       map[mix]bool
}

func newSpace(good, candidate scs.Combination, o Options) *space {
	s := &space{good: good, candidate: candidate, changes: scs.Diff(good, candidate), compatible: o.Compatible, fit: map[mix]bool{}}
	for _, c := range s.changes {
		s.older = append(s.older, between(c, o.Older[c.Service]))
	}
	s.unchanged = slices.DeleteFunc(slices.Clone(candidate.Members), func(m scs.Member) bool {
		return slices.ContainsFunc(s.changes, func(c scs.Change) bool { return c.Service == m.Service })
	})
	s.none = mix(strings.Repeat(string(rune(keep)), len(s.changes)))
	s.all = mix(strings.Repeat(string(rune(take)), len(s.changes)))
	return s
}

// between drops the versions that are one of the two ends.
func between(c scs.Change, versions []scs.Member) []scs.Member {
	var left []scs.Member
	for _, m := range versions {
		end := c.From != nil && m.Bundle == c.From.Bundle || c.To != nil && m.Bundle == c.To.Bundle
		if !end && m.Service == c.Service && len(left) < maxOlder {
			left = append(left, m)
		}
	}
	return left
}

// member is the version that a mix has of a changed service; nil when the
// service is not there.
func (s *space) member(i int, version byte) *scs.Member {
	switch version {
	case keep:
		return s.changes[i].From
	case take:
		return s.changes[i].To
	}
	return &s.older[i][version-older]
}

// combination returns what a mix stands for. Everything that is no change, the
// suite and the values too, is the candidate's.
func (s *space) combination(m mix) scs.Combination {
	c := s.candidate
	if m == s.all {
		return c
	}
	c.Members = slices.Clone(s.unchanged)
	for i := range s.changes {
		if member := s.member(i, m[i]); member != nil {
			c.Members = append(c.Members, *member)
		}
	}
	slices.SortFunc(c.Members, func(a, b scs.Member) int { return cmp.Compare(a.Service, b.Service) })
	return c
}

// fits reports whether a mix can be tested at all.
func (s *space) fits(m mix) bool {
	if m == s.none {
		return true
	}
	known, ok := s.fit[m]
	if !ok {
		known = s.someService(m) && (s.compatible == nil || s.compatible(s.combination(m)))
		s.fit[m] = known
	}
	return known
}

// someService reports whether a mix has any service at all.
func (s *space) someService(m mix) bool {
	for i := 0; len(s.unchanged) == 0 && i < len(m); i++ {
		if s.member(i, m[i]) != nil {
			return true
		}
	}
	return len(s.unchanged) > 0
}

// largest returns a mix that fits and has as much of m as possible: m itself
// when it fits. What cannot stand together is decided in the order of names.
func (s *space) largest(m mix) mix {
	if s.fits(m) {
		return m
	}
	got := s.none
	for grown := true; grown; {
		grown = false
		for _, i := range m.minus(got).list() {
			if next := got.with(i, m[i]); s.fits(next) {
				got, grown = next, true
			}
		}
		if !grown {
			got, grown = s.pair(got, m)
		}
	}
	return got
}

// pair adds two changes that need each other.
func (s *space) pair(got, m mix) (mix, bool) {
	rest := m.minus(got).list()
	for a, i := range rest {
		for _, j := range rest[a+1:] {
			if next := got.with(i, m[i]).with(j, m[j]); s.fits(next) {
				return next, true
			}
		}
	}
	return got, false
}

// smallest returns a mix that fits, has all of m, and as little as possible of
// what top has besides; top has to fit and to have all of m.
func (s *space) smallest(m, top mix) mix {
	if s.fits(m) {
		return m
	}
	for shrunk := true; shrunk; {
		shrunk = false
		for _, i := range top.minus(m).list() {
			if next := top.with(i, keep); s.fits(next) {
				top, shrunk = next, true
			}
		}
	}
	return top
}

// chain returns the way from one mix up to another: all of them fit, each has a
// little more than the one before, a single change where that is possible.
func (s *space) chain(from, to mix) []mix {
	steps := []mix{from}
	for at := from; at != to; steps = append(steps, at) {
		at = s.step(at, to)
	}
	return steps
}

func (s *space) step(at, to mix) mix {
	rest := to.minus(at).list()
	for _, i := range rest {
		if next := at.with(i, to[i]); s.fits(next) {
			return next
		}
	}
	best := to
	for _, i := range rest {
		if next := s.smallest(at.with(i, to[i]), to); next.size() < best.size() {
			best = next
		}
	}
	return best
}
