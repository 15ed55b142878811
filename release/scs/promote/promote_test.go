package promote_test

import (
	"errors"
	"strings"
	"testing"

	"gitlab.com/selfcontained/pipeline/release/scs/promote"
)

// TestPromote promotes, again, and on; each time everything is where it belongs.
func TestPromote(t *testing.T) {
	t.Parallel()
	s := newSupplies(t)
	w := newWorld(t, s, s.locks[0], "staging")
	w.promote(t)
	before := w.state(t)
	if version, err := w.look(t.Context(), w.Clone, "staging"); version != "0.1.0" || err != nil {
		t.Fatalf("%s, %v", version, err)
	}
	// Again: nothing to do.
	w.Now = w.Now.Add(1)
	plan, err := w.silent().plan(t.Context())
	if err != nil || !plan.Draft.Nothing || !strings.Contains(plan.Draft.Text(nil), "0.1.0 is in staging already (number 1)") {
		t.Errorf("%+v, %v", plan, err)
	}
	if err := apply(t.Context(), plan); err != nil || w.state(t) != before || plan.Commit() == "" {
		t.Errorf("the second time: %v\n%s", err, w.state(t))
	}
	// On.
	w.wants(t, s.locks[1])
	w.promote(t)
	if version, err := w.look(t.Context(), w.Clone, "staging"); version != "0.1.1" || err != nil {
		t.Errorf("%s, %v", version, err)
	}
	system := open(t, w.Registry+"/shop/system", nil)
	for tag, lock := range map[string]int{"0.1.0": 0, "0.1.1": 1, "staging": 1} {
		if id, err := system.Head(t.Context(), tag); id != s.locks[lock].ID() || err != nil {
			t.Errorf("%s is %s, %v", tag, id, err)
		}
	}
	message := git(t, w.Remote, "log", "-1", "--format=%B", "env/staging")
	for _, want := range []string{"Promote shop 0.1.1 to staging\n", "stock 0.1.0 -> 0.1.1\n", "Sequence: 2\n", "Promoted-By: anna\n"} {
		if !strings.Contains(message, want) {
			t.Errorf("no %q in %s", want, message)
		}
	}
	var refused *promote.RefusedError
	w.Env = "nowhere"
	if err := w.silent().run(t.Context()); !errors.As(err, &refused) {
		t.Errorf("to nowhere: %v", err)
	}
}
