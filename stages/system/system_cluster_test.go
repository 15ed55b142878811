//go:build cluster

package system

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// TestCombinations tests one combination after the other and several at once
// on the cluster that all runs on this machine share.
func TestCombinations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	t.Run("green", func(t *testing.T) { t.Parallel(); w.testGreen(t) })
	t.Run("red suite", func(t *testing.T) { t.Parallel(); w.testRed(t) })
	t.Run("never ready", func(t *testing.T) { t.Parallel(); w.testNeverReady(t) })
	t.Run("wrong image", func(t *testing.T) { t.Parallel(); w.testWrongImage(t) })
	t.Run("foreign version", func(t *testing.T) { t.Parallel(); w.testForeignVersion(t) })
	t.Run("two at once", func(t *testing.T) { t.Parallel(); w.testTwoAtOnce(t) })
	t.Run("cancelled", func(t *testing.T) { t.Parallel(); w.testCancelled(t) })
}

// cart waits for stock, which is installed at the same time.
func (w *world) shop(t *testing.T, salt string) []Member {
	return []Member{
		w.member(t, "stock", "0.1.0", salt, map[string]any{"tls": true}),
		w.member(t, "cart", "0.2.0", salt, map[string]any{"peer": "stock"}),
	}
}

// engine runs combinations in a checkout of its own, as each lane of a search
// does, with a shared store.
func engine(t *testing.T, store *evidence.Store, o Options, observer pipeline.Observer) *pipeline.Engine {
	t.Helper()
	plan, err := pipeline.NewPlan([]pipeline.Node{Node(o)})
	if err != nil {
		t.Fatal(err)
	}
	return &pipeline.Engine{Plan: plan, Checkout: pipeline.OpenCheckout(t.TempDir()), Store: store, Observer: observer}
}

func newStore(t *testing.T) *evidence.Store { return evidence.Open(t.TempDir()) }

// run runs a combination by the engine.
func run(t *testing.T, e *pipeline.Engine) *pipeline.Result {
	t.Helper()
	rec, err := e.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := rec.Result("shop/suite")
	if r == nil {
		t.Fatalf("no result: %+v", rec)
	}
	t.Cleanup(func() {
		if t.Failed() && r.Log != "" {
			log, _ := os.ReadFile(r.Log)
			t.Logf("log:\n%s", log)
		}
	})
	return r
}

func (w *world) testGreen(t *testing.T) {
	store := newStore(t)
	o := w.options(t, w.shop(t, "")...)
	r := run(t, engine(t, store, o, nil))
	if r.Status != pipeline.Passed || r.Left != "" {
		t.Fatalf("%s: %s\n%s\nleft: %s", r.Status, r.Message, r.Cause, r.Left)
	}
	facts := map[string]string{
		"combination": string(o.ID), "kubernetes": w.cluster.Version,
		"image stock": string(o.Members[0].Bundle), "image cart": string(o.Members[1].Bundle),
	}
	if diff := cmp.Diff(facts, r.Findings.Facts); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	var tests, phases []string
	for _, test := range r.Findings.Tests {
		tests = append(tests, test.Package+" "+test.Name)
	}
	for _, p := range r.Findings.Phases {
		phases = append(phases, p.Name)
		t.Logf("%6.2f s after %6.2f s  %s", p.Took.Seconds(), p.Start.Seconds(), p.Name)
	}
	slices.Sort(tests)
	if diff := cmp.Diff([]string{
		"example.com/suite TestEnvironment", "example.com/suite/answers TestCart", "example.com/suite/answers TestStock",
		"system image of cart", "system image of stock",
	}, tests); diff != "" {
		t.Errorf("tests (-want +got):\n%s", diff)
	}
	for _, name := range []string{"cluster", "namespace", "load stock", "install", "install cart", "ready", "images", "tests"} {
		if !slices.Contains(phases, name) {
			t.Errorf("phase %s is missing in %v", name, phases)
		}
	}
	if len(r.Findings.Events) == 0 || !strings.HasPrefix(r.Message, "3 tests in ") {
		t.Errorf("%d events, %q", len(r.Findings.Events), r.Message)
	}
	// Another lane is asked for the same combination.
	if again := run(t, engine(t, store, o, nil)); !again.UpToDate || again.Status != pipeline.Passed {
		t.Errorf("the same combination was tested again: %+v", again)
	}
}

func (w *world) testRed(t *testing.T) {
	members := w.shop(t, "")
	members[0] = w.answering(t, "stock", "0.1.3", "nothing", nil)
	r := run(t, engine(t, newStore(t), w.options(t, members...), nil))
	if r.Status != pipeline.Failed || r.Message != "1 of 3 tests failed: TestStock" || !strings.Contains(r.Cause, `stock answers "nothing"`) {
		t.Errorf("%s: %s\n%s", r.Status, r.Message, r.Cause)
	}
	kept := filepath.Join(strings.TrimSuffix(r.Log, ".log"), "cluster")
	logs, _ := filepath.Glob(filepath.Join(kept, "pods", "stock-*.log"))
	events, err := os.ReadFile(filepath.Join(kept, "events.txt"))
	if len(logs) == 0 || err != nil || !strings.Contains(string(events), "pod/stock-") {
		t.Errorf("kept: %v, %v\n%s", logs, err, events)
	}
}

func (w *world) testNeverReady(t *testing.T) {
	members := w.shop(t, "")
	members[1].Values = map[string]any{"mode": "unready"}
	o := w.options(t, members...)
	o.Ready = 20 * time.Second // long enough for the first answer of a probe on a busy node
	r := run(t, engine(t, newStore(t), o, nil))
	if r.Status != pipeline.Failed || !strings.HasPrefix(r.Message, "cart 0.2.0 is not ready after 20.") || !strings.Contains(r.Cause, "the answer is not known yet") {
		t.Errorf("%s: %s\n%s", r.Status, r.Message, r.Cause)
	}
}

func (w *world) testWrongImage(t *testing.T) {
	members := w.shop(t, "")
	members[1].Values = map[string]any{"hardwired": "registry.invalid/shop/cart:0.1.9"}
	o := w.options(t, members...)
	o.Ready = 20 * time.Second
	r := run(t, engine(t, newStore(t), o, nil))
	if r.Status != pipeline.Failed || !strings.HasSuffix(r.Message, "runs registry.invalid/shop/cart:0.1.9, which is not the image of cart 0.2.0") || !strings.Contains(r.Cause, ".Values.image.repository") {
		t.Errorf("%s: %s\n%s", r.Status, r.Message, r.Cause)
	}
}

// testForeignVersion lets cart's pod run stock in another version beside cart:
// everything gets ready, and still it is not the combination.
func (w *world) testForeignVersion(t *testing.T) {
	members := w.shop(t, "")
	old := w.member(t, "stock", "0.0.9", "", nil)
	s := New(w.options(t, old))
	d := newDeployment(s, nil, w.cluster)
	loaded, err := w.cluster.Load(t.Context(), old.Layout, string(old.Bundle), d.members[0].image.Ref())
	if err != nil {
		t.Fatal(err)
	}
	members = append(members, w.member(t, "web", "1.0.0", "", map[string]any{"hardwired": loaded.Ref}))
	r := run(t, engine(t, newStore(t), w.options(t, members...), nil))
	if r.Status != pipeline.Failed || !strings.HasSuffix(r.Message, "runs "+loaded.Ref+", which is not the image of stock 0.1.0") {
		t.Errorf("%s: %s\n%s", r.Status, r.Message, r.Cause)
	}
}

// testTwoAtOnce tests two combinations whose images nobody has seen yet and
// that have one bundle in common.
func (w *world) testTwoAtOnce(t *testing.T) {
	salt := rand.Text()
	store := newStore(t)
	one, two := w.shop(t, salt), w.shop(t, salt)
	two[1] = w.member(t, "cart", "0.3.0", salt, map[string]any{"peer": "stock"})
	engines := []*pipeline.Engine{engine(t, store, w.options(t, one...), nil), engine(t, store, w.options(t, two...), nil)}
	var all sync.WaitGroup
	for _, e := range engines {
		all.Go(func() {
			rec, err := e.Run(t.Context())
			if err != nil || rec.Status != pipeline.Passed {
				t.Errorf("%v: %+v", err, rec)
			}
		})
	}
	all.Wait()
}

// testCancelled stops a run while it waits for a service that never gets ready.
func (w *world) testCancelled(t *testing.T) {
	members := w.shop(t, "")
	members[1].Values = map[string]any{"mode": "unready"}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e := engine(t, newStore(t), w.options(t, members...), observe(func(e pipeline.Event) {
		if e.Type == pipeline.EventSay && strings.Contains(e.Text, "1 of 2 ready") {
			cancel()
		}
	}))
	rec, err := e.Run(ctx)
	if err != nil || rec.Status != pipeline.Cancelled {
		t.Fatalf("%v: %+v", err, rec)
	}
	if live := w.live(t, rec.ID); len(live) > 0 {
		t.Errorf("namespaces of the cancelled run: %v", live)
	}
}

type observe func(pipeline.Event)

func (o observe) Observe(e pipeline.Event) { o(e) }

// live lists the namespaces of a run that are not being deleted.
func (w *world) live(t *testing.T, run string) []string {
	t.Helper()
	leases, err := w.cluster.Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var live []string
	for _, l := range leases {
		if l.Run == run && !l.Terminating {
			live = append(live, l.Namespace)
		}
	}
	return live
}
