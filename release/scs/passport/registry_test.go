package passport

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

// Evidence that lies in a registry is not chosen: anybody who may push there
// adds to it. What is neutral, and nothing else, leaves a lock valid:
//
//   - an envelope that is the only one to meet a gate stays as it was in its
//     signed bytes (the payload) and its signature, however its JSON is written;
//   - any other envelope may be missing, damaged, doubled or in another place;
//   - anything may be added;
//   - of the lock only the sources of the members and what was held back may
//     change, and only if the file is written as it has to be.
func TestWhatIsNeutralInARegistry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4, 2)
	w.rules.Require = []string{"unit"}
	l := w.lock(1)
	ev := w.evidence(l)
	needed := map[string]bool{}
	for about, list := range ev {
		for _, e := range list {
			needed[string(e)] = !strings.Contains(claimOf(e).Type, "/consent/") && !strings.Contains(claimOf(e).Type, "/promotion/")
		}
		// These are of no use to anybody.
		for _, p := range []sign.Predicate{sign.Manual{Terms: terms(), By: "kim", At: day(1), Items: []sign.Item{{Name: "pay", Result: "passed"}}}} {
			ev[about] = append(ev[about], w.sign(w.ci, about, p), w.sign(w.foreign, about, p))
		}
	}
	g := &registry{w, l.Encode(), ev, needed, newMemory()}
	if p := g.judge(g.lock, ev); !p.Valid() {
		t.Fatalf("the original is refused:\n%s", p.Text())
	}
	r := rand.New(rand.NewPCG(mutationSeed, 99))
	neutral, refused := 0, map[Class]int{}
	for i := range 1000 {
		lock, changed, want := g.mutate(r)
		p := g.judge(lock, changed)
		if p.Valid() != want {
			t.Errorf("number %d: valid is %v; expected %v\n%s\n%s", i, p.Valid(), want, lock, p.Text())
		}
		if want {
			neutral++
		}
		for _, class := range p.Refused() {
			refused[class]++
		}
	}
	t.Logf("seed %d: of 1000 mutations %d are neutral; refusals: %v", mutationSeed, neutral, refused)
	if neutral < 200 || neutral > 800 {
		t.Errorf("%d of 1000 are neutral: too few on one side to prove anything", neutral)
	}
	if p := Lock("scs.lock", g.lock, ev, w.rules, now()); !p.Valid() {
		t.Fatalf("the original is refused afterwards:\n%s", p.Text())
	}
}

type registry struct {
	*world
	lock   []byte
	ev     Evidence
	needed map[string]bool
	memory *memory
}

func (g *registry) judge(lock []byte, ev Evidence) *Passport {
	x := begin(g.rules, "", now())
	x.verify = g.memory.verify
	if l := x.lock("scs.lock", lock); l != nil {
		x.combination(l.Combination, ev)
	}
	return x.done()
}

// mutate changes the lock or the evidence, and says whether that is neutral.
func (g *registry) mutate(r *rand.Rand) (lock []byte, ev Evidence, neutral bool) {
	if r.IntN(4) == 0 {
		lock = damage(g.lock, r)
		if r.IntN(2) == 0 {
			lock = g.note(r)
		}
		return lock, g.ev, g.sameLock(lock)
	}
	ev = Evidence{}
	var subjects []evidence.Digest
	for about, list := range g.ev {
		ev[about] = slices.Clone(list)
		subjects = append(subjects, about)
	}
	slices.Sort(subjects)
	about := pick(r, subjects)
	i := r.IntN(len(ev[about]))
	e := ev[about][i]
	switch r.IntN(9) {
	case 0: // missing
		ev[about] = slices.Delete(ev[about], i, i+1)
		return g.lock, ev, !g.needed[string(e)]
	case 1: // doubled, and in another order
		ev[about] = append(ev[about], e)
		slices.Reverse(ev[about])
		return g.lock, ev, true
	case 2: // at another place
		ev[about] = slices.Delete(ev[about], i, i+1)
		other := subjects[(slices.Index(subjects, about)+1)%len(subjects)]
		ev[other] = append(ev[other], e)
		return g.lock, ev, !g.needed[string(e)]
	case 3: // more of no worth
		ev[about] = append(ev[about], pick(r, [][]byte{nil, []byte("{}"), damage(e, r), bytes.Repeat([]byte("["), 1<<12)}))
		return g.lock, ev, true
	case 4: // signed by somebody else
		if st, err := sign.Verify(e, g.rules.everybody(), about, now()); err == nil {
			ev[about][i] = g.sign(g.foreign, about, st.Predicate)
		}
		return g.lock, ev, !g.needed[string(e)] || bytes.Equal(ev[about][i], e)
	case 5: // written otherwise
		var b bytes.Buffer
		if err := json.Indent(&b, e, " ", "  "); err != nil {
			g.t.Fatal(err)
		}
		ev[about][i] = b.Bytes()
		return g.lock, ev, true
	}
	ev[about][i] = damage(e, r)
	return g.lock, ev, !g.needed[string(e)] || sameSigned(e, ev[about][i])
}

// note changes what nobody signed.
func (g *registry) note(r *rand.Rand) []byte {
	l := g.world.lock(1)
	if r.IntN(2) == 0 {
		l.Members[r.IntN(len(l.Members))].Source = "registry.example.org/copy"
	} else {
		l.Held = nil
	}
	return l.Encode()
}

// sameLock reports whether a file is a lock that says the same of everything
// that somebody signed.
func (g *registry) sameLock(data []byte) bool {
	l, err := scs.ParseLock("scs.lock", data)
	if err != nil {
		return false
	}
	want := g.world.lock(1)
	for _, list := range [][]scs.Member{l.Members, want.Members} {
		for i := range list {
			list[i].Source = ""
		}
	}
	return l.Version == want.Version && cmp.Equal(l.Combination, want.Combination)
}

// sameSigned reports whether two envelopes differ in how their JSON is written,
// and in nothing else.
func sameSigned(a, b []byte) bool {
	var x, y envelope
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return json.Unmarshal(a, &x) == nil && json.Valid(b) && d.Decode(&y) == nil && cmp.Equal(x, y)
}
