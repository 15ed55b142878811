package passport

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

var mutations = flag.Int("mutations", 10_000, "how many mutations are tried")

// mutationSeed starts the random numbers; each shard has its own sequence.
const mutationSeed = 20260320

// tally counts refusals by mutation and class.
type tally struct {
	sync.Mutex
	rows map[string]map[Class]int
	runs map[string]int
}

func (c *tally) count(name string, refused []Class) {
	c.Lock()
	defer c.Unlock()
	if c.rows[name] == nil {
		c.rows[name] = map[Class]int{}
	}
	c.runs[name]++
	for _, class := range refused {
		c.rows[name][class]++
	}
}

func (c *tally) table(names []string) string {
	var b strings.Builder
	total := 0
	for _, name := range names {
		var list []string
		for class, n := range c.rows[name] {
			list = append(list, fmt.Sprintf("%s %d", class, n))
		}
		slices.Sort(list)
		total += c.runs[name]
		fmt.Fprintf(&b, "  %5d  %-62s %s\n", c.runs[name], name, strings.Join(list, ", "))
	}
	fmt.Fprintf(&b, "  %5d  in all\n", total)
	return b.String()
}

// 10,000 mutations of an environment, half of them forgeries in which every id
// and digest fits and only the key is wrong. None is accepted, each is refused
// in a class that says what is wrong, and what was not touched is accepted,
// before and after.
func TestNoMutationOfAPointerIsAccepted(t *testing.T) {
	if testing.Short() {
		t.Skip("plays through thousands of mutations")
	}
	var plain, forged, promoted []mutation
	for _, e := range edits() {
		plain, forged = append(plain, e.stalely()), append(forged, e.forgedly())
		if e.trusted != nil {
			promoted = append(promoted, e.trustedly())
		}
	}
	plain = append(plain, damages()...)
	all := &tally{rows: map[string]map[Class]int{}, runs: map[string]int{}}
	const shards = 4
	t.Run("shards", func(t *testing.T) {
		for shard := range shards {
			t.Run(fmt.Sprint(shard), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, max(3, 2+shard), 2)
				w.rules.Require = []string{"unit"}
				s, r := newScene(w), rand.New(rand.NewPCG(mutationSeed, uint64(shard)))
				t.Logf("seed %d, shard %d, %d members", mutationSeed, shard, w.members)
				s.accepted(t)
				original := s.fingerprint()
				for _, part := range []struct {
					list []mutation
					runs int
				}{{plain, *mutations * 45 / 100 / shards}, {forged, *mutations / 2 / shards}, {promoted, *mutations * 5 / 100 / shards}} {
					for i := range part.runs {
						s.refused(t, original, part.list[i%len(part.list)], r, all, i)
					}
				}
				if s.fingerprint() != original {
					t.Error("a mutation changed the original")
				}
				s.accepted(t)
				if p := Pointer(s.env, s.tip, s.older, s.seen, s.rules, s.now); !p.Valid() {
					t.Errorf("verified anew, the original is refused:\n%s", p.Text())
				}
			})
		}
	})
	var names []string
	for _, m := range slices.Concat(plain, forged, promoted) {
		names = append(names, m.name)
	}
	t.Logf("mutations and the classes of their refusals:\n%s", all.table(names))
}

func (s *scene) accepted(t *testing.T) {
	t.Helper()
	if p := s.judge(); !p.Valid() {
		t.Fatalf("the original is refused:\n%s", p.Text())
	}
}

// refused applies a mutation and looks at the answer.
func (s *scene) refused(t *testing.T, original evidence.Digest, m mutation, r *rand.Rand, all *tally, i int) {
	t.Helper()
	var c *scene
	for tries := 0; c == nil || c.fingerprint() == original; tries++ {
		if tries == 20 {
			t.Fatalf("%s: changes nothing", m.name)
		}
		c = s.clone()
		m.do(c, r)
	}
	p := c.judge()
	all.count(m.name, p.Refused())
	right := slices.ContainsFunc(p.Refused(), func(class Class) bool { return slices.Contains(m.must, class) })
	for _, class := range p.Refused() {
		right = right && (slices.Contains(m.must, class) || slices.Contains(m.may, class))
	}
	if !right || p.Valid() {
		t.Errorf("%s, number %d: refused as %q; expected one of %q and nothing but %q\n%s", m.name, i, p.Refused(), m.must, m.may, p.Text())
	}
	for _, refusal := range p.Refusals {
		if refusal.Why == "" || refusal.Remedy == "" || refusal.Rule == "" {
			t.Errorf("%s: a refusal says too little: %+v", m.name, refusal)
		}
	}
}
