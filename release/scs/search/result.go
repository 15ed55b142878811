package search

import (
	"errors"
	"fmt"
	"slices"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

// Result is what a search has found out. Each fact in it has been tested: what
// is only likely is no part of it, or stands in Unproven.
type Result struct {
	// Newest passes; ID is its id. It is good itself when nothing newer passed.
	Newest   scs.Combination `json:"-"`
	ID       evidence.Digest `json:"id"`
	Services []scs.Member    `json:"services"` // of Newest
	// Changes are all differences between good and candidate, sorted by service.
	Changes []Change `json:"changes"`
	// Culprits are the sets of changes that break the candidate, in the order in
	// which they were found.
	Culprits []Culprit `json:"culprits"`
	// Held are the changes that are not in Newest, sorted by service.
	Held []Held `json:"held"`
	// Repairs are changes that fail by themselves and pass with others.
	Repairs []Repair `json:"repairs,omitempty"`
	// Flaky are the combinations that were answered in two ways.
	Flaky []Flaky `json:"flaky,omitempty"`
	// Complete says that the search came to its end: each change that is held back
	// was shown to fail on top of Newest (before older versions were tried), or
	// cannot be tested there.
	Complete bool `json:"complete"`
	// Unproven says in words what stays open, and why.
	Unproven []string `json:"unproven,omitempty"`
	// Tests are all tests in the order in which they were started. Count is their
	// number, and Rounds how often the search had to wait for some of them.
	Count  int    `json:"count"`
	Rounds int    `json:"rounds"`
	Tests  []Test `json:"tests"`
}

// Change is a service that differs between good and candidate. From is empty for
// a service that is new, To for one that is gone.
type Change struct {
	Service string `json:"service"`
	From    string `json:"from,omitempty"`
	To      string `json:"to,omitempty"`
}

// Culprit is a set of changes that fails on top of good, and of which each smaller
// set that can be tested and lacks a change passes.
type Culprit struct {
	Changes []Change `json:"changes"`
	// Needed are the services of Changes that are there only because others in
	// it are ruled out without them.
	Needed []string `json:"needed,omitempty"`
	// ID is the combination of good and Changes: testing it shows the failure.
	ID evidence.Digest `json:"id"`
	// Why is what the oracle said when it failed.
	Why string `json:"why,omitempty"`
}

// Held is a change that is not in the newest combination that passes.
type Held struct {
	Change
	// At is the version in that combination; empty when the service is not in it.
	At string `json:"at,omitempty"`
	// Since is the version that it fails from on, if it is not To: the next one
	// after At that was tested.
	Since string `json:"since,omitempty"`
	// Culprits are indexes of Result.Culprits that the change is part of.
	Culprits []int `json:"culprits"`
	// With are the other changes of these culprits: "cart 0.1.3".
	With []string `json:"with,omitempty"`
	Why  string   `json:"why"` // in words
}

// Repair is a set of changes that fails on top of good, and a greater one that
// passes.
type Repair struct {
	Fails  []Change `json:"fails"`
	Passes []Change `json:"passes"`
}

// Flaky is a combination that was answered in two ways.
type Flaky struct {
	ID      evidence.Digest `json:"id"`
	Updates []string        `json:"updates"` // as in Test
	Passed  int             `json:"passed"`
	Failed  int             `json:"failed"`
}

// Test is one question to the oracle.
type Test struct {
	N     int             `json:"n"`     // from 1
	Round int             `json:"round"` // from 1; those of a round run at the same time
	Why   string          `json:"why"`   // "half of 8 changes"
	ID    evidence.Digest `json:"id"`
	// Updates are the versions that differ from good: "stock 0.1.2", "no cart".
	Updates []string `json:"updates"`
	Verdict Verdict  `json:"verdict"` // empty as long as it runs
}

// EventKind is what an event is about.
type EventKind string

// The kinds of events.
const (
	TestStarted  EventKind = "started"
	TestDone     EventKind = "done"
	CulpritFound EventKind = "culprit" // may be withdrawn when answers change
)

// Event is something that happens during a search.
type Event struct {
	Kind    EventKind `json:"kind"`
	Test    *Test     `json:"test,omitempty"`
	Culprit *Culprit  `json:"culprit,omitempty"`
}

// result writes down what is known when the search ends.
func (s *search) result(err error) *Result {
	r := &Result{Changes: s.changesOf(s.all), Culprits: []Culprit{}, Held: []Held{}, Tests: s.log, Count: len(s.log), Rounds: s.rounds}
	var stop *stopped
	if r.Complete = err == nil; errors.As(err, &stop) {
		r.Unproven = append(r.Unproven, stop.why)
		s.notes = append(s.notes, s.unexplained()...)
		if best := s.best(); s.newest == "" || s.better(best, s.newest) {
			s.newest = best
		}
	}
	var blamed []*culprit
	for _, c := range s.culprits {
		if high := s.above(c.mix); high != "" {
			r.Repairs = append(r.Repairs, Repair{s.changesOf(c.mix), s.changesOf(high)})
		}
		if !c.in(s.newest) {
			blamed = append(blamed, c)
			r.Culprits = append(r.Culprits, s.describe(c))
		}
	}
	for _, i := range s.newest.behind() {
		r.Held = append(r.Held, s.held(i, blamed))
	}
	r.Unproven = append(append(r.Unproven, s.notes...), s.contradictions()...)
	r.Flaky = s.flaky()
	r.Newest, r.ID = s.votes(s.newest).combination, s.votes(s.newest).id
	if !s.passes(s.newest) { // not even with the services of good
		r.Newest, r.ID = s.good, s.good.ID()
	}
	r.Services = r.Newest.Members
	return r
}

// unexplained says what a search that ended early has not got to.
func (s *search) unexplained() []string {
	if next := s.greatest(s.culprits); !s.known(next) || s.fails(next) {
		return []string{fmt.Sprintf("whether %s passes, or has a further culprit", s.allBut(next))}
	}
	return []string{"whether more updates or older versions pass"}
}

func (s *search) changesOf(m mix) []Change {
	changes := []Change{}
	for _, i := range m.list() {
		changes = append(changes, s.change(i, m[i]))
	}
	return changes
}

func (s *search) change(i int, version byte) Change {
	c := Change{Service: s.changes[i].Service}
	if from := s.changes[i].From; from != nil {
		c.From = from.Version
	}
	if to := s.member(i, version); to != nil {
		c.To = to.Version
	}
	return c
}

func (s *search) describe(c *culprit) Culprit {
	d := Culprit{Changes: s.changesOf(c.mix), ID: s.votes(c.mix).id}
	for _, i := range c.list() {
		if !s.fits(c.with(i, keep)) {
			d.Needed = append(d.Needed, s.changes[i].Service)
		}
	}
	if len(d.Needed) == len(d.Changes) {
		d.Needed = nil // they need each other
	}
	for _, t := range s.log {
		if t.ID == d.ID && t.Verdict.Status == Failed {
			d.Why = t.Verdict.Why
		}
	}
	return d
}

func (s *search) held(i int, culprits []*culprit) Held {
	h := Held{Change: s.change(i, take), Culprits: []int{}}
	if m := s.member(i, s.newest[i]); m != nil {
		h.At = m.Version
	}
	if next, ok := s.blocked[i]; ok {
		h.Since = s.member(i, next[i]).Version
	}
	for n, c := range culprits {
		if c.mix[i] == keep {
			continue
		}
		h.Culprits = append(h.Culprits, n)
		for _, other := range s.names(c.with(i, keep)) {
			if !slices.Contains(h.With, other) {
				h.With = append(h.With, other)
			}
		}
	}
	h.Why = s.whyHeld(i, h)
	return h
}

func (s *search) whyHeld(i int, h Held) string {
	_, tried := s.tried[i]
	alone := len(h.Culprits) > 0 && len(h.With) == 0
	switch {
	case alone:
		return s.label(i, take) + " fails alone"
	case len(h.Culprits) > 0:
		return fmt.Sprintf("%s fails together with %s", s.label(i, take), join(h.With))
	case tried:
		return s.label(i, take) + " fails on top of the newest combination that passes"
	case !s.fits(s.newest.with(i, take)):
		return s.label(i, take) + " does not fit the interfaces of the newest combination that passes"
	}
	return "not found out"
}

func (s *search) flaky() []Flaky {
	var list []Flaky
	for _, m := range s.order {
		if v := s.votes(m); min(v.passed, v.failed) > 0 {
			list = append(list, Flaky{v.id, s.names(m), v.passed, v.failed})
		}
	}
	return list
}
