package search_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gitlab.com/selfcontained/pipeline/release/scs/search"
)

// tally counts what came out of searches among wrong answers.
type tally struct {
	tests                          counts
	exact, wrong, innocent, newest int // results
}

// add notes a result: all faults found and nothing else; a culprit that is none;
// one with a change that is part of no fault; a newest that fails.
func (c *tally) add(w world, r *search.Result, faults []set) {
	var guilty set
	for _, f := range faults {
		guilty |= f
	}
	one := map[bool]int{true: 1}
	wrong := slices.ContainsFunc(r.Culprits, func(c search.Culprit) bool { return !slices.Contains(faults, changed(c.Changes)) })
	innocent := slices.ContainsFunc(r.Culprits, func(c search.Culprit) bool { return !guilty.has(changed(c.Changes)) })
	c.tests = append(c.tests, r.Count)
	c.exact += one[!wrong && foundAll(r, faults)]
	c.wrong += one[wrong]
	c.innocent += one[innocent]
	c.newest += one[w.fails(setOf(r.Newest))]
}

// What wrong answers cost, and how often they deceive the search.
func TestFlaky(t *testing.T) {
	t.Parallel()
	const n = 30
	mixture := [][]int{{1}, {1}, {1}, {2}, {1, 1}, {1, 2}}
	var table strings.Builder
	fmt.Fprintf(&table, "%d services, %d worlds each, half with a single, the others with a pair, 2 singles, single and pair; in %% of the results:\n", n, *worlds)
	fmt.Fprintf(&table, "%-12s %-18s %-16s %7s %7s %8s %7s\n", "wrong answers", "", "tests", "exact", "wrong", "innocent", "newest")
	for _, p := range [][2]float64{{0, 0}, {.01, 0}, {.05, 0}, {.10, 0}, {.01, .01}, {.05, .05}, {.10, .10}} {
		for _, o := range []search.Options{{Votes: 1}, {}, {Repeat: 2}, {Votes: 5, Repeat: 3}} {
			var c tally
			for seed := range uint64(*worlds) {
				rnd := random(seed)
				faults := sizes(mixture[int(seed)%len(mixture)]...)(rnd, n)
				w := planted(n, faults...)
				c.add(w, w.find(t, w.flaky(rnd, p[0], p[1]), o), faults)
			}
			percent := func(n int) float64 { return 100 * float64(n) / float64(*worlds) }
			fmt.Fprintf(&table, "%2.0f red %2.0f green  votes %d, repeat %d %v %7.1f %7.1f %8.1f %7.1f\n", 100*p[0], 100*p[1],
				cmp.Or(o.Votes, 3), cmp.Or(o.Repeat, 1), c.tests, percent(c.exact), percent(c.wrong), percent(c.innocent), percent(c.newest))
			if p[0]+p[1] == 0 && c.exact != *worlds || p[1] == 0 && c.newest > 0 {
				t.Errorf("%v, %+v: %+v", p, o, c)
			}
			if o.Votes+o.Repeat == 0 && p[0] <= .05 && percent(c.exact) < 85 {
				t.Errorf("%v: only %.1f%% are exact", p, percent(c.exact))
			}
		}
	}
	t.Log(table.String())
}

// A candidate that failed by accident only passes in the end.
func TestCandidateFailedByAccident(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 30} {
		w := planted(n)
		r := w.find(t, w.oracle, search.Options{})
		if setOf(r.Newest) != w.all() || len(r.Culprits)+len(r.Held) > 0 || !r.Complete || len(r.Flaky) != 1 || r.Flaky[0].Passed != 2 {
			t.Errorf("n %d: %s", n, protocol(r))
		}
		if bound := log2(n) + 3; r.Count > bound {
			t.Errorf("n %d: %d tests, expected at most %d", n, r.Count, bound)
		}
	}
}
