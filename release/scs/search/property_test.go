package search_test

import (
	"math/rand/v2"
	"testing"

	"gitlab.com/selfcontained/pipeline/release/scs/search"
)

func anyOptions(r *rand.Rand) search.Options {
	return search.Options{Parallel: 1 + r.IntN(5), Votes: 1 + r.IntN(5), Repeat: r.IntN(3)}
}

// most returns the greatest number of updates in a set that passes.
func (w world) most() int {
	most := 0
	for s := range w.all() + 1 {
		if w.fit(s) && !w.fails(s) {
			most = max(most, s.size())
		}
	}
	return most
}

func someFaults(r *rand.Rand, n int) (faults []set) {
	for range 1 + r.IntN(4) {
		faults = append(faults, some(r, n, 1+r.IntN(min(3, n))))
	}
	return faults
}

// What is found in monotone worlds is minimal and as much as possible.
func TestMonotone(t *testing.T) {
	t.Parallel()
	for seed := range uint64(700) {
		rnd := random(seed)
		n := 1 + rnd.IntN(12)
		faults := someFaults(rnd, n)
		w := planted(n, faults...)
		r := w.find(t, w.oracle, anyOptions(rnd))
		if lies := w.lies(r); len(lies) > 0 || !r.Complete || r.Unproven != nil || len(r.Flaky)+len(r.Repairs) > 0 {
			t.Fatalf("seed %d, n %d, faults %b: %q\n%s", seed, n, faults, lies, protocol(r))
		}
		if most := w.most(); setOf(r.Newest).size() != most {
			t.Fatalf("seed %d, n %d, faults %b: possible are %d updates\n%s", seed, n, faults, most, protocol(r))
		}
		for _, c := range r.Culprits {
			for s := range changed(c.Changes) { // all subsets of it are among these
				if changed(c.Changes).has(s) && w.fails(s) {
					t.Fatalf("seed %d: %b fails too\n%s", seed, s, protocol(r))
				}
			}
		}
	}
}

// Worlds in which changes repair others: what is reported is so nevertheless.
func TestNotMonotone(t *testing.T) {
	t.Parallel()
	unproven := 0
	for seed := range uint64(700) {
		rnd := random(seed)
		n := 1 + rnd.IntN(8)
		w := arbitrary(rnd, n)
		r := w.find(t, w.oracle, anyOptions(rnd))
		if lies := w.lies(r); len(lies) > 0 || !r.Complete || len(r.Flaky) > 0 {
			t.Fatalf("seed %d: %q\n%s", seed, lies, protocol(r))
		}
		if len(r.Unproven) > 0 {
			unproven++
		}
		if len(r.Repairs) > 0 && len(r.Unproven) == 0 {
			t.Fatalf("seed %d: a repair, but nothing is unproven\n%s", seed, protocol(r))
		}
	}
	if unproven < 100 {
		t.Errorf("something is unproven in %d worlds only", unproven)
	}
}

// arbitrary is a world of faults with repairs, or one in which sets fail at
// random.
func arbitrary(r *rand.Rand, n int) world {
	faults, repairs := someFaults(r, n), someFaults(r, n)
	verdicts, share := make([]bool, 1<<n), r.Float64()
	for i := range verdicts {
		verdicts[i] = r.Float64() < share
	}
	noise := r.IntN(2) == 0
	w := world{n: n}
	w.fails = func(s set) bool {
		if s == 0 || s == w.all() || noise {
			return s == w.all() || s != 0 && verdicts[s]
		}
		for i, f := range faults {
			if s.has(f) && (i >= len(repairs) || !s.has(repairs[i])) {
				return true
			}
		}
		return false
	}
	return w
}

// Services that need others, or do not go with others.
func TestCompatible(t *testing.T) {
	t.Parallel()
	for seed := range uint64(700) {
		rnd := random(seed)
		n := 2 + rnd.IntN(9)
		w := planted(n, someFaults(rnd, n)...)
		needs, conflicts := pairs(rnd, n), [][2]set(nil)
		if rnd.IntN(3) == 0 {
			conflicts = pairs(rnd, n)
		}
		w.fits = func(s set) bool {
			for _, p := range needs {
				if s.has(p[0]) && !s.has(p[1]) {
					return false
				}
			}
			for _, p := range conflicts {
				if s.has(p[0] | p[1]) {
					return false
				}
			}
			return true
		}
		o := anyOptions(rnd)
		o.Compatible = w.compatible
		r := w.find(t, w.oracle, o)
		if lies := w.lies(r); len(lies) > 0 || !r.Complete {
			t.Fatalf("seed %d: %q\n%s", seed, lies, protocol(r))
		}
		if most := w.most(); conflicts == nil && setOf(r.Newest).size() != most {
			t.Fatalf("seed %d, needs %b: possible are %d updates\n%s", seed, needs, most, protocol(r))
		}
	}
}

func pairs(r *rand.Rand, n int) (pairs [][2]set) {
	for range r.IntN(n) {
		p := r.Perm(n)
		pairs = append(pairs, [2]set{of(p[0]), of(p[1])})
	}
	return pairs
}

// Whatever stops a search, what it reports is so, and what it lacks is said.
func TestBudgetProperty(t *testing.T) {
	t.Parallel()
	for seed := range uint64(600) {
		rnd := random(seed)
		n := 1 + rnd.IntN(12)
		w := planted(n, someFaults(rnd, n)...)
		if rnd.IntN(2) == 0 {
			w = arbitrary(rnd, n)
		}
		o := anyOptions(rnd)
		whole := w.find(t, w.oracle, o)
		o.Budget = 1 + rnd.IntN(whole.Count+1)
		r := w.find(t, w.oracle, o)
		if lies := w.lies(r); len(lies) > 0 || r.Count > o.Budget {
			t.Fatalf("seed %d, budget %d: %q\n%s", seed, o.Budget, lies, protocol(r))
		}
		if whole.Count <= o.Budget && !r.Complete || !r.Complete && len(r.Unproven) == 0 {
			t.Fatalf("seed %d, budget %d of %d: complete %v, unproven %q", seed, o.Budget, whole.Count, r.Complete, r.Unproven)
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add(uint8(4), uint64(0b1000_1000_0000_0000), uint8(2), uint8(0))
	f.Add(uint8(6), uint64(1)<<63, uint8(1), uint8(3))
	f.Add(uint8(3), uint64(0b1010_0010), uint8(3), uint8(1))
	f.Fuzz(func(t *testing.T, n uint8, red uint64, parallel, votes uint8) {
		w := world{n: int(n%6) + 1}
		w.fails = func(s set) bool { return s == w.all() || s != 0 && red>>s&1 == 1 }
		r := w.find(t, w.oracle, search.Options{Parallel: int(parallel % 8), Votes: int(votes % 8)})
		if w.isTrue(t, r); !r.Complete {
			t.Fatal(protocol(r))
		}
	})
}
