package search

import (
	"context"
	"errors"
	"fmt"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

// Status is the answer to one test; the words are those of pipeline.Status.
type Status string

// The answers of an oracle.
const (
	Passed    Status = "passed"
	Failed    Status = "failed"
	NotTested Status = "not tested"
)

// Verdict is what the acceptance tests say of a combination.
type Verdict struct {
	Status Status `json:"status"`
	Why    string `json:"why,omitempty"` // in words: what failed, what is missing
}

// Oracle runs the acceptance tests of a combination. It is called from up to
// Options.Parallel goroutines at a time. An answer NotTested is final for the
// search: whoever can retry does so before giving it. It has to return soon
// after ctx ends, which Find waits for.
type Oracle func(ctx context.Context, c scs.Combination) Verdict

// Options are how a search goes about it. The zero value is good.
type Options struct {
	// Parallel is how many tests may run at once; 1 by default.
	Parallel int
	// Votes is how many answers a combination gets at most when its answers
	// matter and contradict something; 3 by default, 1 believes each answer.
	Votes int
	// Repeat is how many equal answers each reported fact needs even though
	// nothing contradicts it; 1 by default.
	Repeat int
	// Budget is how many tests may be run; 0 is as many as it takes.
	Budget int
	// Known are answers that were there before, by the id of the combination. That
	// good passed and the candidate failed need not be in it.
	Known map[evidence.Digest]Status
	// Older are versions between good and candidate by service, newest first:
	// they are tried for a service that is held back.
	Older map[string][]scs.Member
	// Compatible rules combinations out without a test; called from one goroutine,
	// often, and about good and candidate too. Without it everything is tested.
	Compatible func(scs.Combination) bool
	// Tell learns what happens while it happens; called from one goroutine.
	Tell func(Event)
}

func (o Options) orDefaults() Options {
	o.Parallel, o.Repeat = max(o.Parallel, 1), max(o.Repeat, 1)
	if o.Votes <= 0 {
		o.Votes = 3
	}
	return o
}

// maxCulprits is where a search stops to name culprits and only looks for what
// passes: past it, choosing what to hold back could take longer than the tests.
const maxCulprits = 16

// errAgain says that more answers to one question gave another verdict.
var errAgain = errors.New("a verdict has changed")

// stopped is why a search had to end early.
type stopped struct{ why string }

func (s *stopped) Error() string { return s.why }

// search is a search under way.
type search struct {
	*space
	*tests
	culprits []*culprit
	newest   mix // passes; "" as long as none was found
	// tried are, by the change that is held back, mixes that fail: the newest
	// combination with that change on top.
	tried map[int]mix
	// blocked are, by the change, the oldest version that is known to fail where
	// an older version is in the newest combination.
	blocked map[int]mix
	notes   []string // what stays unproven
}

// Find looks for the changes that make the candidate fail, and for the newest
// combination between good, which passes, and the candidate. All that it asks
// about has the suite and the values of the candidate.
//
// The error is about combinations that cannot be compared. Everything else, an
// ended ctx and a spent budget too, is a result with what is known so far.
func Find(ctx context.Context, good, candidate scs.Combination, oracle Oracle, o Options) (*Result, error) {
	if err := good.Check(); err != nil {
		return nil, fmt.Errorf("the last good combination: %w", err)
	}
	if err := candidate.Check(); err != nil {
		return nil, fmt.Errorf("the candidate: %w", err)
	}
	if good.System != candidate.System {
		return nil, fmt.Errorf("the last good combination is of the system %s, the candidate of %s; expected one system", good.System, candidate.System)
	}
	o = o.orDefaults()
	space := newSpace(good, candidate, o)
	s := &search{space: space, tests: newTests(space, oracle, o)}
	err := s.ground(ctx)
	for again := err == nil; again; again = errors.Is(err, errAgain) {
		err = s.attempt(ctx)
	}
	return s.result(err), nil
}

// ground makes sure that there is something to stand on: a new suite may fail
// with the services of the last good combination already.
func (s *search) ground(ctx context.Context) error {
	err := s.ask(ctx, question{s.none, "the last good services with the candidate's tests and values"})
	if err == nil && !s.passes(s.none) {
		err = s.settle(ctx, s.none)
	}
	if err != nil && !errors.Is(err, errAgain) {
		return err
	}
	if !s.passes(s.none) {
		return &stopped{"the last good services fail with the candidate's tests or values; no service can be blamed before these pass"}
	}
	return nil
}

// attempt is the whole search. It is begun anew whenever a verdict that it
// rested on turns out to be wrong; what is known by then costs nothing.
func (s *search) attempt(ctx context.Context) error {
	s.culprits, s.newest, s.notes, s.tried, s.blocked = nil, "", nil, map[int]mix{}, map[int]mix{}
	for _, step := range []func(context.Context) error{s.split, s.extend, s.forward, s.review} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// split finds culprits until a combination passes that holds back one change of
// each: the greatest such combination fails only where it has a further culprit.
func (s *search) split(ctx context.Context) error {
	for len(s.culprits) < maxCulprits {
		next := s.greatest(s.culprits)
		if err := s.ask(ctx, question{next, s.allBut(next)}); err != nil {
			return err
		}
		if s.passes(next) {
			s.newest = next
			return nil
		}
		found, err := s.isolate(ctx, next)
		if err != nil {
			return err
		}
		s.culprits = append(s.culprits, found)
		s.say(Event{Kind: CulpritFound, Culprit: new(s.describe(found))})
	}
	s.notes = append(s.notes, fmt.Sprintf("there are more than %d culprits; the rest is not named, and more updates may be possible", maxCulprits))
	return s.grow(ctx)
}
