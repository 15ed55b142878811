package passport

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update accepts):\n%s", name, diff)
	}
}

// asJSON is the passport as a program reads it.
func asJSON(t *testing.T, p *Passport) string {
	t.Helper()
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data) + "\n"
}

// The golden files show a passport of each kind: valid ones, and one in which
// much is wrong.
func TestPassportsAsPrinted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 2)
	tips, older := w.environment(3)
	pointer := Pointer("production", tips[2], older, Seen{Sequence: 3, ID: w.lock(3).ID()}, w.rules, now())
	golden(t, "production.txt", pointer.Text())
	golden(t, "production.json", asJSON(t, pointer))

	l := w.lock(1)
	ev := w.evidence(l)
	golden(t, "lock.txt", Lock("scs.lock", l.Encode(), ev, w.rules, now()).Text())
	m := l.Members[0]
	golden(t, "bundle.txt", Bundle(m.Service, m.Version, m.Bundle, ev, w.rules, now()).Text())
	golden(t, "refused.txt", w.messy(l).Text())
}

// messy is a lock for production with everything that a passport can show.
func (w *world) messy(l *scs.Lock) *Passport {
	ev, id := Evidence{}, l.ID()
	cart, pay, stock := l.Members[0], l.Members[1], l.Members[2]
	waived, ended, failed := verdict(cart, "unit"), verdict(pay, "unit"), verdict(pay, "module")
	waived.Status, waived.Waiver = "waived", &sign.Waiver{Reason: "until the library is fixed", Until: day(30)}
	ended.Status, ended.Waiver = "waived", &sign.Waiver{Reason: "forgotten", Until: day(10)}
	failed.Status, failed.Summary = "failed", "3 of 12 tests\x1b[2J"
	release := released(cart)
	release.Overridden = []sign.Exception{{Rule: "branch", Reason: "hot fix", By: "sam", Until: day(5)}}
	override := sign.Override{Terms: terms(), Rule: "stage module", Reason: "fire", By: "sam", At: day(2), Until: day(25)}
	ev[cart.Bundle] = [][]byte{w.sign(w.ci, cart.Bundle, release), w.sign(w.ci, cart.Bundle, waived), w.sign(w.ci, cart.Bundle, override)}
	ev[pay.Bundle] = [][]byte{
		w.sign(w.ci, pay.Bundle, released(stock)), w.sign(w.ci, pay.Bundle, ended), w.sign(w.ci, pay.Bundle, failed),
		[]byte("what is this"),
	}
	ev[stock.Bundle] = [][]byte{
		w.sign(w.old, stock.Bundle, released(stock)), w.sign(w.foreign, stock.Bundle, verdict(stock, "unit")),
		w.sign(w.ci, cart.Bundle, verdict(stock, "module")),
	}
	expired := suite(l)
	expired.Expires = day(9)
	ev[id] = [][]byte{w.sign(w.ci, id, expired), w.sign(w.owner, id, consent("production", "kim")), w.sign(w.ci, id, consent("production", "bot"))}
	return LockFor("production", "scs.lock", l.Encode(), ev, w.rules, now())
}

func TestJSONIsStable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 2)
	l := w.lock(1)
	want := asJSON(t, w.messy(l))
	for range 3 {
		if diff := cmp.Diff(want, asJSON(t, w.messy(l))); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
	var p struct {
		Valid    bool
		Findings []Finding
		Refusals []Refusal
	}
	if err := json.Unmarshal([]byte(want), &p); err != nil || p.Valid || len(p.Refusals) == 0 {
		t.Errorf("%+v; %v", p, err)
	}
	if empty := asJSON(t, Combination(scs.Combination{}, nil, Rules{}, now())); strings.Contains(empty, "null") {
		t.Errorf("a null in\n%s", empty)
	}
}
