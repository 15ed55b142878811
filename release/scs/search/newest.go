package search

import (
	"context"
	"fmt"
)

// greatest returns the mix with the most updates that contains none of the
// culprits and can be tested. Among equals: one that holds back services of
// which older versions can be tried, then the one that has the update of the
// service whose name comes first.
func (s *search) greatest(culprits []*culprit) mix {
	best := s.none
	seen := map[mix]bool{}
	var hold func(m mix)
	hold = func(m mix) {
		if seen[m] || m.updates() < best.updates() {
			return
		}
		seen[m] = true
		for _, c := range culprits {
			if c.in(m) {
				for _, i := range c.list() {
					hold(m.with(i, keep))
				}
				return
			}
		}
		if m = s.largest(m); s.better(m, best) {
			best = m
		}
	}
	hold(s.all)
	return best
}

// better reports whether one mix is newer than another one.
func (s *search) better(a, b mix) bool {
	if x, y := a.updates(), b.updates(); x != y {
		return x > y
	}
	if x, y := a.size(), b.size(); x != y {
		return x > y
	}
	if x, y := s.choices(a), s.choices(b); x != y {
		return x > y
	}
	return a > b
}

// choices is how many of the services that are held back have older versions.
func (s *search) choices(m mix) int {
	n := 0
	for i := range m {
		if m[i] == keep && len(s.older[i]) > 0 {
			n++
		}
	}
	return n
}

// best returns the newest of the mixes that are known to pass, without those that
// have older versions.
func (s *search) best() mix {
	best := s.none
	for _, m := range s.order {
		if s.passes(m) && m.size() == m.updates() && s.better(m, best) {
			best = m
		}
	}
	return best
}

// grow finds a combination that passes and that no update can be added to,
// without naming culprits: step by step from what passes to the candidate, over
// the changes at which it breaks.
func (s *search) grow(ctx context.Context) error {
	s.newest = s.best()
	for top := s.largest(s.all); top != s.newest && s.newest.in(top); {
		if err := s.ask(ctx, question{top, s.allBut(top)}); err != nil {
			return err
		}
		if s.passes(top) {
			s.newest = top
			return nil
		}
		steps := s.chain(s.newest, top)
		at, err := s.boundary(ctx, steps, s.suspects(s.newest))
		if err != nil {
			return err
		}
		s.newest = steps[at]
		top = s.largest(top.minus(steps[at+1].minus(steps[at])))
	}
	return nil
}

// extend shows that no single update can be added to what passes. Should one
// pass, it is kept: it repairs what failed without it.
func (s *search) extend(ctx context.Context) error {
	for {
		if best := s.best(); s.better(best, s.newest) {
			s.newest = best
		}
		clear(s.tried)
		var must []question
		for _, i := range s.newest.behind() {
			top := s.smallest(s.newest.with(i, take), s.all)
			if !s.fits(top) {
				continue
			}
			s.tried[i] = top
			must = append(must, question{top, fmt.Sprintf("%s on top of what passes", s.name(top.minus(s.newest)))})
		}
		if err := s.askAll(ctx, must); err != nil {
			return err
		}
		var passed []mix
		for _, q := range must {
			if s.passes(q.mix) {
				passed = append(passed, q.mix)
			}
		}
		if len(passed) == 0 {
			return nil
		}
		if err := s.settle(ctx, passed...); err != nil {
			return err
		}
	}
}

// forward looks for the newest older version of each service that is held back,
// one service after the other. It halves: a fault that came with a version is
// taken to stay in the later ones.
func (s *search) forward(ctx context.Context) error {
	for _, i := range s.newest.behind() {
		steps := []mix{s.newest}
		for v := len(s.older[i]) - 1; v >= 0; v-- {
			if next := s.newest.with(i, older+byte(v)); s.fits(next) {
				steps = append(steps, next)
			}
		}
		steps = append(steps, s.newest.with(i, take)) // fails, or does not fit
		at, err := s.boundary(ctx, steps, func(step, _, _ int) string {
			return fmt.Sprintf("%s instead of %s", s.name(steps[step].minus(s.newest)), s.label(i, take))
		})
		if err != nil {
			return err
		}
		if at > 0 && at+1 < len(steps)-1 {
			s.blocked[i] = steps[at+1]
		}
		s.newest = steps[at]
	}
	return nil
}
