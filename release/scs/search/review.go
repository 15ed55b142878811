package search

import (
	"context"
	"fmt"
)

// review looks at all that is going to be reported. What other answers speak
// against is asked until one side has the majority. Once the oracle has answered
// a question in two ways, no fact rests on one answer any more; and neither a
// culprit nor the newest combination does unless one change explains everything.
func (s *search) review(ctx context.Context) error {
	for {
		wavered, need := s.wavers, s.o.Repeat
		if wavered {
			need = max(need, 2)
		}
		pass, fail := s.facts()
		if err := s.firm(ctx, need, append(pass, fail...)...); err != nil {
			return err
		}
		doubtful := s.doubtful(pass, fail)
		if len(s.culprits) > 1 || len(s.culprits) == 1 && s.culprits[0].size() > 1 {
			doubtful = append(doubtful, s.newest)
			for _, c := range s.culprits {
				doubtful = append(doubtful, c.mix)
			}
		}
		if err := s.settle(ctx, doubtful...); err != nil {
			return err
		}
		if wavered == s.wavers {
			return nil
		}
	}
}

// facts are the mixes that the result says pass, and fail.
func (s *search) facts() (pass, fail []mix) {
	pass = []mix{s.newest}
	for _, c := range s.culprits {
		fail = append(fail, c.mix)
		pass = append(pass, c.without...)
	}
	for i := range s.changes {
		for _, held := range []map[int]mix{s.tried, s.blocked} {
			if m, ok := held[i]; ok {
				fail = append(fail, m)
			}
		}
	}
	return pass, fail
}

// doubtful are the facts that another answer speaks against, a smaller mix that
// fails or a greater one that passes, and those others.
func (s *search) doubtful(pass, fail []mix) []mix {
	var mixes []mix
	for _, m := range pass {
		if o := s.below(m); o != "" {
			mixes = append(mixes, m, o)
		}
	}
	for _, m := range fail {
		if o := s.above(m); o != "" {
			mixes = append(mixes, m, o)
		}
	}
	return mixes
}

// contradictions says in words where what is reported depends on more than the
// culprits.
func (s *search) contradictions() []string {
	var notes []string
	pass, fail := s.facts()
	for i, m := range append(pass, fail...) {
		switch low, high := s.below(m), s.above(m); {
		case i < len(pass) && low != "":
			notes = append(notes, fmt.Sprintf("%s passes although %s fails: one change repairs another, or the tests waver", s.allBut(m), s.name(low)))
		case i >= len(pass) && high != "":
			notes = append(notes, fmt.Sprintf("%s fails although %s passes: one change repairs another, or the tests waver", s.name(m), s.allBut(high)))
		}
	}
	return notes
}
