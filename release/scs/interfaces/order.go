package interfaces

import (
	"cmp"
	"slices"
)

// order returns the members in waves, those first that others use, and the
// cycles. It is Tarjan's algorithm (Depth-first search and linear graph
// algorithms, 1972), which finds a group of members that use each other after
// all that they use.
func order(members []Member, edges []Edge) (waves, cycles [][]string) {
	t := &tarjan{uses: map[string][]string{}, index: map[string]int{}, low: map[string]int{}, wave: map[string]int{}}
	for _, e := range edges {
		t.uses[e.Client] = append(t.uses[e.Client], e.Server)
	}
	for _, m := range members {
		if t.index[m.Service] == 0 {
			t.visit(m.Service)
		}
	}
	for _, m := range members {
		at := t.wave[m.Service]
		for len(waves) <= at {
			waves = append(waves, nil)
		}
		waves[at] = append(waves[at], m.Service)
	}
	slices.SortFunc(t.cycles, func(a, b []string) int { return cmp.Compare(a[0], b[0]) })
	return waves, t.cycles
}

type tarjan struct {
	uses       map[string][]string
	index, low map[string]int // from 1
	wave       map[string]int // of those that are done
	stack      []string
	cycles     [][]string
}

func (t *tarjan) visit(name string) {
	t.index[name] = len(t.index) + 1
	t.low[name] = t.index[name]
	t.stack = append(t.stack, name)
	for _, used := range t.uses[name] {
		if t.index[used] == 0 {
			t.visit(used)
			t.low[name] = min(t.low[name], t.low[used])
		} else if _, done := t.wave[used]; !done {
			t.low[name] = min(t.low[name], t.index[used])
		}
	}
	if t.low[name] == t.index[name] {
		t.close(slices.Index(t.stack, name))
	}
}

// close takes a group from the stack.
func (t *tarjan) close(from int) {
	group := slices.Sorted(slices.Values(t.stack[from:]))
	t.stack = t.stack[:from]
	wave := 0
	for _, name := range group {
		for _, used := range t.uses[name] {
			if at, done := t.wave[used]; done {
				wave = max(wave, at+1)
			}
		}
	}
	for _, name := range group {
		t.wave[name] = wave
	}
	if len(group) > 1 {
		t.cycles = append(t.cycles, group)
	}
}
