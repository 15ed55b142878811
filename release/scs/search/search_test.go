package search_test

import (
	"context"
	"maps"
	"math/bits"
	"slices"
	"sync"
	"testing"

	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/search"
)

func log2(n int) int { return bits.Len(uint(n - 1)) }

// A single is found with at most log2 n + 2 tests, wherever it is.
func TestSingle(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 64; n++ {
		for at := range n {
			w := planted(n, of(at))
			r := w.find(t, w.oracle, search.Options{})
			w.isTrue(t, r)
			if len(r.Culprits) != 1 || changed(r.Culprits[0].Changes) != of(at) || !r.Complete || r.Unproven != nil {
				t.Fatalf("%d of %d: %s", at, n, protocol(r))
			}
			if setOf(r.Newest) != w.all()&^of(at) {
				t.Fatalf("%d of %d: newest is %b", at, n, setOf(r.Newest))
			}
			if bound := log2(n) + 2; r.Count > bound {
				t.Errorf("%d of %d: %d tests, expected at most %d\n%s", at, n, r.Count, bound, protocol(r))
			}
		}
	}
}

// Several that fail only together cost log2 n for each, and a little.
func TestTogether(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ size, more int }{{2, 7}, {3, 11}} {
		for seed := range uint64(60) {
			rnd := random(seed)
			n := c.size + rnd.IntN(65-c.size)
			fault := some(rnd, n, c.size)
			w := planted(n, fault)
			r := w.find(t, w.oracle, search.Options{})
			w.isTrue(t, r)
			if len(r.Culprits) != 1 || changed(r.Culprits[0].Changes) != fault || setOf(r.Newest).size() != n-1 {
				t.Fatalf("seed %d, n %d: %s", seed, n, protocol(r))
			}
			if bound := c.size*log2(n) + c.more; r.Count > bound {
				t.Errorf("seed %d, %d of %d: %d tests, expected at most %d\n%s", seed, c.size, n, r.Count, bound, protocol(r))
			}
		}
	}
}

// What lies below the first culprit has passed: the second one is looked for above
// it only.
func TestSecondUsesFirst(t *testing.T) {
	t.Parallel()
	w := planted(32, of(30), of(31))
	r := w.find(t, w.oracle, search.Options{Votes: 1})
	w.isTrue(t, r)
	if want := log2(w.n) + 3; r.Count != want { // each alone, all but the first
		t.Errorf("%d tests, expected %d\n%s", r.Count, want, protocol(r))
	}
}

// No more tests run at once than allowed, and those of a round do.
func TestParallel(t *testing.T) {
	t.Parallel()
	const parallel = 3
	w := planted(30, of(4), of(8, 20))
	together := map[int]int{} // by round
	for _, test := range w.find(t, w.oracle, search.Options{Parallel: parallel}).Tests {
		together[test.Round]++
	}
	var lock sync.Mutex
	started, round := 0, 1
	next := make(chan struct{})
	oracle := func(ctx context.Context, c scs.Combination) search.Verdict {
		lock.Lock()
		wait := next
		if started++; started == together[round] {
			close(next) // all of the round are here
			next, started = make(chan struct{}), 0
			round++
		}
		lock.Unlock()
		<-wait
		return w.oracle(ctx, c)
	}
	r := w.find(t, oracle, search.Options{Parallel: parallel})
	w.isTrue(t, r)
	if r.Rounds != len(together) || slices.Max(slices.Collect(maps.Values(together))) != parallel {
		t.Errorf("tests in each round: %v\n%s", together, protocol(r))
	}
}

// What the search itself costs, beside the tests.
func BenchmarkFind(b *testing.B) {
	for name, faults := range map[string][]set{"single": {of(31)}, "single, pair and triple": {of(7), of(11, 31), of(20, 33, 47)}} {
		w := planted(50, faults...)
		good, candidate := system(w.n, 0), system(w.n, w.all())
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := search.Find(b.Context(), good, candidate, w.oracle, search.Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
