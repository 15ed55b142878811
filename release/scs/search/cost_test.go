package search_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gitlab.com/selfcontained/pipeline/release/scs/search"
)

var worlds = flag.Int("worlds", 10, "how many worlds of a kind are measured")

// kind is a way to plant faults among n services.
type kind struct {
	name  string
	plant func(r *rand.Rand, n int) []set
}

// sizes plants faults that have no service in common.
func sizes(of ...int) func(*rand.Rand, int) []set {
	return func(r *rand.Rand, n int) (faults []set) {
		at := r.Perm(n)
		for _, size := range of {
			var fault set
			for _, i := range at[:size] {
				fault |= 1 << i
			}
			faults, at = append(faults, fault), at[size:]
		}
		return faults
	}
}

// shared plants two faults of a size that share a service.
func shared(size int) func(*rand.Rand, int) []set {
	return func(r *rand.Rand, n int) []set {
		at := r.Perm(n)
		return []set{of(at[:size]...), of(at[size-1 : 2*size-1]...)}
	}
}

func kinds() []kind {
	return []kind{
		{"single", sizes(1)}, {"2 singles", sizes(1, 1)}, {"3 singles", sizes(1, 1, 1)},
		{"pair", sizes(2)}, {"single, pair", sizes(1, 2)}, {"2 pairs", sizes(2, 2)}, {"2 pairs, shared", shared(2)},
		{"triple", sizes(3)}, {"single, pair, triple", sizes(1, 2, 3)}, {"2 triples, shared", shared(3)},
	}
}

// counts are numbers of tests or rounds.
type counts []int

func (c counts) String() string {
	slices.Sort(c)
	at := func(part int) int { return c[min(len(c)-1, len(c)*part/100)] }
	return fmt.Sprintf("%3d %3d %3d %3d", c[0], at(50), at(95), c[len(c)-1])
}

func (c counts) median() int { slices.Sort(c); return c[len(c)/2] }

// The number of tests, against testing each change alone and against ddmin.
func TestCost(t *testing.T) {
	t.Parallel()
	const n = 30
	var table strings.Builder
	fmt.Fprintf(&table, "%d services, %d worlds of each kind; each entry: min, median, p95, max; rounds behind the slash\n", n, *worlds)
	fmt.Fprintf(&table, "%-21s %-16s  %-16s  %-35s  %-35s  %-16s  %s\n", "faults", "tests", "votes 1", "2 parallel", "4 parallel", "ddmin", "each alone")
	for _, k := range kinds() {
		tests, rounds, plain, ddmin := map[int]counts{}, map[int]counts{}, counts{}, counts{}
		alone := 0
		for seed := range uint64(*worlds) {
			faults := k.plant(random(seed), n)
			w := planted(n, faults...)
			for _, parallel := range []int{1, 2, 4} {
				r := w.find(t, w.oracle, search.Options{Parallel: parallel})
				w.isTrue(t, r)
				if !foundAll(r, faults) && !strings.HasSuffix(k.name, "shared") {
					t.Fatalf("%s, seed %d: not all of %b\n%s", k.name, seed, faults, protocol(r))
				}
				tests[parallel] = append(tests[parallel], r.Count)
				rounds[parallel] = append(rounds[parallel], r.Rounds)
			}
			plain = append(plain, w.find(t, w.oracle, search.Options{Votes: 1}).Count)
			ddmin = append(ddmin, w.ddminAll())
			if !slices.ContainsFunc(faults, func(s set) bool { return s.size() > 1 }) {
				alone++
			}
		}
		fmt.Fprintf(&table, "%-21s %v  %v  %v / %v  %v / %v  %v  %d, finds %d%%\n", k.name,
			tests[1], plain, tests[2], rounds[2], tests[4], rounds[4], ddmin, n, 100*alone / *worlds)
		if rounds[2].median() >= rounds[1].median() || rounds[4].median() >= rounds[2].median() {
			t.Errorf("%s: more tests at once take as many rounds", k.name)
		}
		if plain.median() > ddmin.median() {
			t.Errorf("%s: ddmin needs fewer tests", k.name)
		}
	}
	t.Log(table.String())
}

func foundAll(r *search.Result, faults []set) bool {
	for _, f := range faults {
		if !slices.ContainsFunc(r.Culprits, func(c search.Culprit) bool { return changed(c.Changes) == f }) {
			return false
		}
	}
	return true
}

// ddminAll counts the tests that classic delta debugging takes (Zeller and
// Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002,
// section 3): repeated without one change of what it found, until all pass.
func (w world) ddminAll() int {
	known := map[set]bool{0: false, w.all(): true}
	count := 0
	fails := func(s set) bool {
		if _, ok := known[s]; !ok {
			known[s], count = w.fails(s), count+1
		}
		return known[s]
	}
	for rest := w.all(); fails(rest); {
		fault := ddmin(rest, fails)
		rest &^= fault & -fault
	}
	return count
}

func ddmin(s set, fails func(set) bool) set {
	for parts := 2; s.size() > 1; {
		subsets := divide(s, parts)
		if i := slices.IndexFunc(subsets, fails); i >= 0 {
			s, parts = subsets[i], 2
			continue
		}
		if i := slices.IndexFunc(subsets, func(sub set) bool { return fails(s &^ sub) }); i >= 0 {
			s, parts = s&^subsets[i], max(parts-1, 2)
			continue
		}
		if parts == s.size() {
			break
		}
		parts = min(2*parts, s.size())
	}
	return s
}

func divide(s set, parts int) []set {
	subsets := make([]set, parts)
	i, size := 0, s.size()
	for one := range s.each {
		subsets[i*parts/size] |= one
		i++
	}
	return subsets
}
