package search_test

import (
	"context"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/search"
)

// set has a bit for each service that is in the candidate's version.
type set uint64

func (s set) has(t set) bool { return s&t == t }
func (s set) size() int      { return bits.OnesCount64(uint64(s)) }

func of(members ...int) (s set) {
	for _, i := range members {
		s |= 1 << i
	}
	return s
}

// each yields the members of a set as sets of one.
func (s set) each(yield func(set) bool) {
	for ; s != 0; s &= s - 1 {
		if !yield(s & -s) {
			return
		}
	}
}

const was, now = "1.0.0", "1.1.0"

func member(i int, version string) scs.Member {
	name := fmt.Sprintf("s%02d", i)
	return scs.Member{Service: name, Version: version, Bundle: evidence.Sum([]byte(name + version)), Size: 1, Source: "registry.example.com/" + name}
}

// system is a combination of n services, those of the set in their new version.
func system(n int, s set) scs.Combination {
	c := scs.Combination{System: "shop", Suite: evidence.Sum([]byte("suite"))}
	for i := range n {
		version := was
		if s.has(of(i)) {
			version = now
		}
		c.Members = append(c.Members, member(i, version))
	}
	return c
}

// setOf is the inverse of system.
func setOf(c scs.Combination) (s set) {
	for i, m := range c.Members {
		if m.Version == now {
			s |= of(i)
		}
	}
	return s
}

func index(service string) (i int) {
	if _, err := fmt.Sscanf(service, "s%d", &i); err != nil {
		panic(err)
	}
	return i
}

func changed(changes []search.Change) (s set) {
	for _, c := range changes {
		s |= of(index(c.Service))
	}
	return s
}

// world is n changes, which sets of them fail, and which fit together; nil is all.
type world struct {
	n     int
	fails func(set) bool
	fits  func(set) bool
}

func (w world) compatible(c scs.Combination) bool { return w.fit(setOf(c)) }
func (w world) fit(s set) bool                    { return w.fits == nil || w.fits(s) }

// planted is a world in which exactly the sets fail that have one of these.
func planted(n int, faults ...set) world {
	return world{n: n, fails: func(s set) bool { return slices.ContainsFunc(faults, s.has) }}
}

func (w world) all() set { return 1<<w.n - 1 }

func (w world) oracle(_ context.Context, c scs.Combination) search.Verdict {
	if !w.fit(setOf(c)) {
		panic("asked about services that do not fit together")
	}
	if w.fails(setOf(c)) {
		return search.Verdict{Status: search.Failed, Why: "red"}
	}
	return search.Verdict{Status: search.Passed}
}

// flaky is an oracle that turns a passed answer into a failed one with the
// probability red, and the other way round with the probability green.
func (w world) flaky(r *rand.Rand, red, green float64) search.Oracle {
	var lock sync.Mutex
	return func(ctx context.Context, c scs.Combination) search.Verdict {
		lock.Lock()
		defer lock.Unlock()
		v := w.oracle(ctx, c)
		switch x := r.Float64(); {
		case v.Status == search.Passed && x < red:
			return search.Verdict{Status: search.Failed, Why: "timeout"}
		case v.Status == search.Failed && x < green:
			return search.Verdict{Status: search.Passed}
		}
		return v
	}
}

func (w world) find(t testing.TB, oracle search.Oracle, o search.Options) *search.Result {
	t.Helper()
	r, err := search.Find(t.Context(), system(w.n, 0), system(w.n, w.all()), oracle, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// lies returns what a result reports that is not so.
func (w world) lies(r *search.Result) (lies []string) {
	say := func(format string, args ...any) { lies = append(lies, fmt.Sprintf(format, args...)) }
	newest := setOf(r.Newest)
	if w.fails(newest) || !w.fit(newest) {
		say("newest %b fails", newest)
	}
	if r.ID != r.Newest.ID() || len(r.Services) != len(r.Newest.Members) {
		say("the id or the services are not those of newest")
	}
	for _, c := range r.Culprits {
		m := changed(c.Changes)
		if !w.fails(m) {
			say("culprit %b passes", m)
		}
		for one := range m.each {
			if w.fit(m&^one) && w.fails(m&^one) {
				say("culprit %b fails without %b too", m, one)
			}
		}
		if newest.has(m) {
			say("culprit %b is in newest", m)
		}
	}
	var held set
	for _, h := range r.Held {
		one := of(index(h.Service))
		held |= one
		if r.Complete && w.fit(newest|one) && !w.fails(newest|one) {
			say("%b is held back, but can be added", one)
		}
		for _, n := range h.Culprits {
			if !changed(r.Culprits[n].Changes).has(one) {
				say("%b is held back for a culprit that it is no part of", one)
			}
		}
	}
	if held != w.all()&^newest {
		say("held back is %b, newest %b", held, newest)
	}
	for _, x := range r.Repairs {
		if a, b := changed(x.Fails), changed(x.Passes); !w.fails(a) || w.fails(b) || !b.has(a) {
			say("%b does not repair %b", b, a)
		}
	}
	if r.Count != len(r.Tests) || r.Rounds > r.Count {
		say("%d tests in %d rounds, listed are %d", r.Count, r.Rounds, len(r.Tests))
	}
	return lies
}

// true fails a test when a result reports something that is not so.
func (w world) isTrue(t *testing.T, r *search.Result) {
	t.Helper()
	if lies := w.lies(r); len(lies) > 0 {
		t.Fatalf("%q\n%s", lies, protocol(r))
	}
}

// protocol is a result for people who look for a bug.
func protocol(r *search.Result) string {
	text := ""
	for _, test := range r.Tests {
		text += fmt.Sprintf("%3d %2d %-40s %v %s\n", test.N, test.Round, test.Why, test.Updates, test.Verdict.Status)
	}
	return text + fmt.Sprintf("culprits %+v\nheld %+v\nunproven %q", r.Culprits, r.Held, r.Unproven)
}

// random returns the generator for a seed, which is part of a test's name.
func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 5)) }

// some returns a random set of so many of n services.
func some(r *rand.Rand, n, size int) set { return of(r.Perm(n)[:size]...) }
