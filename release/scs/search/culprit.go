package search

import (
	"cmp"
	"context"
	"fmt"
)

// culprit is a mix that fails although each smaller one passes.
type culprit struct {
	mix
	// without are the greatest smaller mixes that can be tested; all of them pass.
	without []mix
}

// isolate finds a culprit in a mix that fails.
//
// The way from what passes up to what fails is halved until the step is found
// at which it breaks. What that step adds is guilty, alone or together with
// something below. So it becomes what the next way begins with, and its upper
// end is where it broke, until what was collected fails by itself.
func (s *search) isolate(ctx context.Context, top mix) (*culprit, error) {
	base := s.none
	for {
		steps := s.chain(base, top)
		at, err := s.boundary(ctx, steps, s.suspects(base))
		if err != nil {
			return nil, err
		}
		if err := s.doubt(ctx, steps, at); err != nil {
			return nil, err
		}
		top = steps[at+1]
		base = s.smallest(base.plus(top.minus(steps[at])), top)
		if err := s.ask(ctx, question{base, s.confirm(base)}, s.guesses(base)...); err != nil {
			return nil, err
		}
		if s.fails(base) {
			return s.minimal(ctx, base)
		}
		// It fails only with others, if top fails at all: all that comes rests on
		// that, so it is asked once more each time.
		if s.o.Votes > 1 {
			if err := s.firm(ctx, max(s.majority(), s.votes(top).failed+1), top); err != nil {
				return nil, err
			}
		}
	}
}

// doubt asks again about an end of the way when all answers in between were the
// same, which is what a wrong answer there leads to. On a short way that says
// little of its upper end. The candidate is spared: it is asked about when nothing
// else is found to fail.
func (s *search) doubt(ctx context.Context, steps []mix, at int) error {
	last := len(steps) - 1
	switch {
	case at == 0 && steps[0] != s.none:
		return s.settle(ctx, steps[0])
	case at == last-1 && steps[last] != s.all && last >= 8:
		return s.settle(ctx, steps[last])
	}
	return nil
}

// boundary returns the index of a step that passes while the next one fails. The
// first step passes, the last one fails.
//
// Each round asks as few questions as will do for the least number of rounds: one
// in the middle, or up to Parallel of them evenly spread. Where answers
// contradict each other the last one that passed counts.
func (s *search) boundary(ctx context.Context, steps []mix, why func(step, from, to int) string) (int, error) {
	for {
		low, high := s.narrow(steps)
		if high-low == 1 {
			return low, nil
		}
		parts := s.parts(high - low)
		var must []question
		for i := 1; i < parts; i++ {
			at := low + (high-low)*i/parts
			must = append(must, question{steps[at], why(at, low, high)})
		}
		if err := s.askAll(ctx, must); err != nil {
			return 0, err
		}
	}
}

// parts returns into how many parts a number of suspects is divided.
func (s *search) parts(suspects int) int {
	width := 1 // what the later rounds can deal with
	for width*(s.o.Parallel+1) < suspects {
		width *= s.o.Parallel + 1
	}
	return (suspects + width - 1) / width
}

// narrow returns the last step that is known to pass, and the first one above
// that is known to fail. What an earlier search has asked on the same way counts
// too: a second culprit is looked for only above the first one.
func (s *search) narrow(steps []mix) (low, high int) {
	high = len(steps) - 1
	for i := high - 1; i > 0; i-- {
		switch v := s.answers[steps[i]]; {
		case v == nil:
		case v.passed > v.failed:
			return i, high
		case v.failed > v.passed:
			high = i
		}
	}
	return 0, high
}

// above returns a mix that passes and has all of m, below one that fails and is
// all in m; "" when there is none. The first that was asked is taken.
func (s *search) above(m mix) mix {
	for _, o := range s.order {
		if o != m && m.in(o) && s.passes(o) {
			return o
		}
	}
	return ""
}

func (s *search) below(m mix) mix {
	for _, o := range s.order {
		if o != m && o.in(m) && s.fails(o) {
			return o
		}
	}
	return ""
}

// minimal makes a mix that fails smaller until each smaller one passes.
func (s *search) minimal(ctx context.Context, m mix) (*culprit, error) {
	if s.votes(m).asked == 0 {
		// It is known from before only, and nothing else speaks for it.
		if err := s.settle(ctx, m); err != nil {
			return nil, err
		}
	}
	for {
		kids := s.smaller(m)
		if err := s.askAll(ctx, s.without(m, kids), s.guesses(m)...); err != nil {
			return nil, err
		}
		failed := cmp.Or(s.firstFailed(kids), s.below(m))
		if failed == "" {
			return &culprit{m, kids}, nil
		}
		if err := s.settle(ctx, failed); err != nil {
			return nil, err
		}
		m = failed
	}
}

// smaller returns the greatest mixes that can be tested and lack at least one
// change of m.
func (s *search) smaller(m mix) []mix {
	var kids []mix
	seen := map[mix]bool{}
	for _, i := range m.list() {
		if kid := s.largest(m.with(i, keep)); !seen[kid] {
			seen[kid] = true
			kids = append(kids, kid)
		}
	}
	return kids
}

func (s *search) firstFailed(mixes []mix) mix {
	for _, m := range mixes {
		if s.fails(m) {
			return m
		}
	}
	return ""
}

// guesses are the questions that come next if a mix turns out to be a culprit.
func (s *search) guesses(m mix) []question {
	if s.o.Parallel == 1 {
		return nil
	}
	next := s.greatest(append(s.culprits[:len(s.culprits):len(s.culprits)], &culprit{mix: m}))
	return append(s.without(m, s.smaller(m)), question{next, s.allBut(next)})
}

// without are the questions whether a culprit's smaller mixes pass.
func (s *search) without(m mix, kids []mix) []question {
	var questions []question
	for _, kid := range kids {
		questions = append(questions, question{kid, fmt.Sprintf("confirm that %s passes without %s", s.name(kid), s.name(m.minus(kid)))})
	}
	return questions
}
