package passport

import (
	"runtime"
	"testing"
	"time"
)

// large is a system of 50 services with 8 statements each.
func large(t testing.TB) *world {
	w := newWorld(t, 50, 2)
	w.rules.Require = []string{"build", "unit", "lint", "container", "module", "integration", "bench"}
	return w
}

// A lock with 50 members is verified in less than a second.
func TestSpeed(t *testing.T) {
	w := large(t)
	l := w.lock(1)
	ev, raw := w.evidence(l), l.Encode()
	var before, after runtime.MemStats
	var p *Passport
	took := time.Hour
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 3 { // something else may run on this machine
		start := time.Now()
		p = Lock("scs.lock", raw, ev, w.rules, now())
		took = min(took, time.Since(start))
	}
	runtime.ReadMemStats(&after)
	statements := 0
	for _, list := range ev {
		statements += len(list)
	}
	t.Logf("%d statements in %v on %d processors, %d KiB allocated, %d KiB in use", statements, took, runtime.GOMAXPROCS(0),
		(after.TotalAlloc-before.TotalAlloc)/3>>10, after.HeapInuse>>10)
	if !p.Valid() {
		t.Fatal(p.Text())
	}
	if took > time.Second {
		t.Errorf("verifying took %v; expected less than 1 s", took)
	}
}

func BenchmarkLock(b *testing.B) {
	w := large(b)
	l := w.lock(1)
	ev, raw := w.evidence(l), l.Encode()
	b.ReportAllocs()
	for b.Loop() {
		if p := Lock("scs.lock", raw, ev, w.rules, now()); !p.Valid() {
			b.Fatal(p.Text())
		}
	}
}

// The history of an environment is verified with every passport.
func BenchmarkPointer(b *testing.B) {
	w := newWorld(b, 5, 1)
	tips, older := w.environment(20)
	b.ReportAllocs()
	for b.Loop() {
		if p := Pointer("production", tips[19], older, Seen{}, w.rules, now()); !p.Valid() {
			b.Fatal(p.Text())
		}
	}
}

// Whatever somebody attaches, each envelope costs one look with each key.
func BenchmarkForeign(b *testing.B) {
	w := newWorld(b, 5, 1)
	l := w.lock(1)
	ev := w.evidence(l)
	for i := range 1000 {
		v := verdict(l.Members[0], "unit")
		v.Sequence = int64(i)
		ev[l.Members[0].Bundle] = append(ev[l.Members[0].Bundle], w.sign(w.foreign, l.Members[0].Bundle, v))
	}
	b.ReportAllocs()
	for b.Loop() {
		if p := Combination(l.Combination, ev, w.rules, now()); !p.Valid() || len(p.Ignored) != 1000 || p.Ignored[0].Class != Untrusted {
			b.Fatal(p.Text())
		}
	}
}
