package search_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/search"
)

var update = flag.Bool("update", false, "write the golden files")

// shop is a combination of services: "cart 0.1.0", "stock 0.1.2".
func shop(services ...string) scs.Combination {
	c := scs.Combination{System: "shop", Suite: evidence.Sum([]byte("suite"))}
	for _, s := range services {
		c = c.With(service(s))
	}
	return c
}

func service(text string) scs.Member {
	name, version, _ := strings.Cut(text, " ")
	return scs.Member{Service: name, Version: version, Bundle: evidence.Sum([]byte(text)), Size: 1, Source: "registry.example.com/shop/" + name}
}

func words(c scs.Combination) string {
	var list []string
	for _, m := range c.Members {
		list = append(list, m.Service+" "+m.Version)
	}
	return strings.Join(list, ", ")
}

// red is an oracle that fails where one of these lists of services is all there.
func red(lists ...string) search.Oracle {
	return func(_ context.Context, c scs.Combination) search.Verdict {
		have := strings.Split(words(c), ", ")
		for _, list := range lists {
			if !slices.ContainsFunc(strings.Split(list, ", "), func(s string) bool { return !slices.Contains(have, s) }) {
				return search.Verdict{Status: search.Failed, Why: "TestBuy fails"}
			}
		}
		return search.Verdict{Status: search.Passed}
	}
}

func find(t *testing.T, good, candidate scs.Combination, oracle search.Oracle, o search.Options) *search.Result {
	t.Helper()
	r, err := search.Find(t.Context(), good, candidate, oracle, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func broken(r *search.Result) (sets []string) {
	for _, c := range r.Culprits {
		var set []string
		for _, change := range c.Changes {
			set = append(set, strings.TrimSpace(change.Service+" "+change.To))
		}
		sets = append(sets, strings.Join(set, " + "))
	}
	return sets
}

// The result as JSON, as `pipeline scs update --json` shows it.
func TestJSON(t *testing.T) {
	t.Parallel()
	good := shop("cart 0.1.0", "mail 1.0.0", "pay 2.0.0", "search 1.0.0", "stock 0.1.0", "web 0.3.0")
	candidate := shop("cart 0.1.3", "mail 1.1.0", "pay 2.0.1", "search 1.2.0", "stock 0.1.2", "web 0.4.0")
	var events []search.EventKind
	r := find(t, good, candidate, red("cart 0.1.3, stock 0.1.2", "web 0.4.0"), search.Options{
		Parallel: 2,
		Older:    map[string][]scs.Member{"stock": {service("stock 0.1.2"), service("stock 0.1.1"), service("stock 0.1.0")}},
		Tell:     func(e search.Event) { events = append(events, e.Kind) },
	})
	got, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/result.json"
	if *update {
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	count := func(kind search.EventKind) (n int) {
		for _, k := range events {
			if k == kind {
				n++
			}
		}
		return n
	}
	if count(search.TestStarted) != r.Count || count(search.TestDone) != r.Count || count(search.CulpritFound) != 2 {
		t.Errorf("events: %v", events)
	}
}

// Services that are new, gone, or the only ones.
func TestNewAndGone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name            string
		good, candidate scs.Combination
		red             string
		newest          string
		broken          []string
	}{
		{"a new one is broken", shop("a 1.0.0", "b 1.0.0"), shop("a 1.1.0", "b 1.1.0", "c 1.0.0"), "c 1.0.0", "a 1.1.0, b 1.1.0", []string{"c 1.0.0"}},
		{"one may not go", shop("a 1.0.0", "b 1.0.0"), shop("b 1.1.0"), "b 1.1.0", "b 1.0.0", []string{"b 1.1.0"}},
		{"all go", shop("a 1.0.0"), shop("b 1.0.0"), "b 1.0.0", "a 1.0.0", []string{"b 1.0.0"}},
	} {
		r := find(t, c.good, c.candidate, red(c.red), search.Options{})
		if words(r.Newest) != c.newest || !slices.Equal(broken(r), c.broken) {
			t.Errorf("%s: newest %s\n%s", c.name, words(r.Newest), protocol(r))
		}
	}
	// Without a, b fails: the guilty change is that a is gone.
	r := find(t, shop("a 1.0.0", "b 1.0.0"), shop("b 1.1.0"), func(_ context.Context, c scs.Combination) search.Verdict {
		if c.Member("a") == nil {
			return search.Verdict{Status: search.Failed}
		}
		return search.Verdict{Status: search.Passed}
	}, search.Options{})
	if words(r.Newest) != "a 1.0.0, b 1.1.0" || !slices.Equal(broken(r), []string{"a"}) || r.Held[0].Why != "no a fails alone" {
		t.Errorf("a is gone: newest %s\n%s", words(r.Newest), protocol(r))
	}
}

// For what is held back, the newest older version that passes is found.
func TestOlder(t *testing.T) {
	t.Parallel()
	versions := []string{"1.0.7", "1.0.6", "1.0.5", "1.0.4", "1.0.3", "1.0.2", "1.0.1"}
	var between []scs.Member
	for _, v := range versions {
		between = append(between, service("a "+v))
	}
	for broken := range len(versions) + 1 { // so many of them have the fault
		bad := []string{"a 1.1.0"}
		for _, v := range versions[:broken] {
			bad = append(bad, "a "+v)
		}
		at, since := "1.0.0", ""
		if broken < len(versions) {
			at = versions[broken]
		}
		if broken > 0 && broken < len(versions) {
			since = versions[broken-1]
		}
		r := find(t, shop("a 1.0.0", "b 1.0.0"), shop("a 1.1.0", "b 1.1.0"), red(bad...), search.Options{Older: map[string][]scs.Member{"a": between}})
		if got := words(r.Newest); got != "a "+at+", b 1.1.0" || r.Held[0].At != at || r.Held[0].Since != since {
			t.Errorf("%d broken: newest %s, since %q", broken, got, r.Held[0].Since)
		}
		if len(r.Unproven) > 0 || r.Count > 2+3+1 {
			t.Errorf("%d broken: %s", broken, protocol(r))
		}
	}
}

// A service that needs a newer one of another is not blamed for that.
func TestNeeds(t *testing.T) {
	t.Parallel()
	good, candidate := shop("cart 1.0.0", "stock 1.0.0", "web 1.0.0"), shop("cart 1.1.0", "stock 1.1.0", "web 1.1.0")
	needs := func(c scs.Combination) bool {
		return c.Member("cart").Version == "1.0.0" || c.Member("stock").Version == "1.1.0"
	}
	r := find(t, good, candidate, red("cart 1.1.0"), search.Options{Compatible: needs})
	if words(r.Newest) != "cart 1.0.0, stock 1.1.0, web 1.1.0" || !slices.Equal(broken(r), []string{"cart 1.1.0 + stock 1.1.0"}) ||
		!slices.Equal(r.Culprits[0].Needed, []string{"stock"}) {
		t.Error(protocol(r))
	}
	r = find(t, good, candidate, red("stock 1.1.0"), search.Options{Compatible: needs})
	if words(r.Newest) != "cart 1.0.0, stock 1.0.0, web 1.1.0" || r.Held[0].Why != "cart 1.1.0 fails on top of the newest combination that passes" {
		t.Error(protocol(r))
	}
}

// A change that makes another one good is named, and kept.
func TestRepair(t *testing.T) {
	t.Parallel()
	good, candidate := shop("a 1.0.0", "b 1.0.0", "c 1.0.0"), shop("a 1.1.0", "b 1.1.0", "c 1.1.0")
	r := find(t, good, candidate, red("a 1.1.0, b 1.0.0", "c 1.1.0"), search.Options{})
	want := []search.Repair{{
		Fails:  []search.Change{{Service: "a", From: "1.0.0", To: "1.1.0"}},
		Passes: []search.Change{{Service: "a", From: "1.0.0", To: "1.1.0"}, {Service: "b", From: "1.0.0", To: "1.1.0"}},
	}}
	if diff := cmp.Diff(want, r.Repairs); diff != "" || words(r.Newest) != "a 1.1.0, b 1.1.0, c 1.0.0" || len(r.Unproven) == 0 {
		t.Errorf("%s\n%s", diff, protocol(r))
	}
	if !slices.Equal(broken(r), []string{"c 1.1.0"}) {
		t.Errorf("%q are blamed", broken(r))
	}
}

// New tests or values can fail with the old services already.
func TestNewSuite(t *testing.T) {
	t.Parallel()
	good, candidate := shop("a 1.0.0", "b 1.0.0"), shop("a 1.1.0", "b 1.1.0")
	candidate.Suite = evidence.Sum([]byte("another suite"))
	r := find(t, good, candidate, red("a 1.0.0", "a 1.1.0"), search.Options{})
	if r.Complete || len(r.Culprits) > 0 || r.ID != good.ID() || len(r.Unproven) == 0 || !strings.Contains(r.Unproven[0], "tests or values") {
		t.Error(protocol(r))
	}
	r = find(t, good, candidate, red("a 1.1.0"), search.Options{})
	if !r.Complete || words(r.Newest) != "a 1.0.0, b 1.1.0" || r.Newest.Suite != candidate.Suite {
		t.Error(protocol(r))
	}
	same := shop("a 1.0.0", "b 1.0.0")
	same.Suite = candidate.Suite
	if r = find(t, good, same, red("a 1.0.0"), search.Options{}); r.Complete || r.ID != good.ID() {
		t.Error(protocol(r))
	}
}

// What is known is not asked for again.
func TestKnown(t *testing.T) {
	t.Parallel()
	w := planted(30, of(3), of(11, 20))
	first := w.find(t, w.oracle, search.Options{Votes: 1})
	known := map[evidence.Digest]search.Status{}
	for _, test := range first.Tests {
		known[test.ID] = test.Verdict.Status
	}
	second := w.find(t, w.oracle, search.Options{Votes: 1, Known: known})
	if second.Count != 0 || second.ID != first.ID || len(second.Culprits) != 2 {
		t.Error(protocol(second))
	}
	passed := map[evidence.Digest]search.Status{system(w.n, w.all()).ID(): search.Passed}
	if r := w.find(t, w.oracle, search.Options{Known: passed}); setOf(r.Newest) != w.all() || r.Count != 0 {
		t.Error(protocol(r))
	}
}

func TestStops(t *testing.T) {
	t.Parallel()
	w := planted(30, of(3), of(11, 20))
	whole := w.find(t, w.oracle, search.Options{})
	for stop := range whole.Count {
		ctx, cancel := context.WithCancelCause(t.Context())
		asked := 0
		oracle := func(ctx context.Context, c scs.Combination) search.Verdict {
			if asked++; asked > stop {
				cancel(errors.New("Ctrl-C"))
				return search.Verdict{Status: search.NotTested, Why: "interrupted"}
			}
			return w.oracle(ctx, c)
		}
		r, err := search.Find(ctx, system(w.n, 0), system(w.n, w.all()), oracle, search.Options{})
		if err != nil {
			t.Fatal(err)
		}
		w.isTrue(t, r)
		if r.Complete || r.Count != stop+1 || !strings.Contains(r.Unproven[0], "interrupted") || len(r.Unproven) < 2 {
			t.Errorf("after %d: %s", stop, protocol(r))
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("Ctrl-C"))
	r, err := search.Find(ctx, system(w.n, 0), system(w.n, w.all()), w.oracle, search.Options{})
	if err != nil || r.Count != 0 || r.Unproven[0] != "cancelled: Ctrl-C" || setOf(r.Newest) != 0 {
		t.Errorf("%v, %s", err, protocol(r))
	}
	r = w.find(t, func(context.Context, scs.Combination) search.Verdict { return search.Verdict{} }, search.Options{})
	if r.Count != 1 || !strings.Contains(r.Unproven[0], "expected passed, failed or not tested") {
		t.Error(protocol(r))
	}
}

// More culprits than anybody wants to read about.
func TestManyCulprits(t *testing.T) {
	t.Parallel()
	var faults []set
	for i := range 20 {
		faults = append(faults, of(2*i))
	}
	w := planted(50, faults...)
	r := w.find(t, w.oracle, search.Options{})
	w.isTrue(t, r)
	if len(r.Culprits) != 16 || setOf(r.Newest).size() != 30 || len(r.Unproven) != 1 {
		t.Error(protocol(r))
	}
}

func TestInput(t *testing.T) {
	t.Parallel()
	other := shop("a 1.0.0")
	other.System = "another"
	for _, pair := range [][2]scs.Combination{{shop(), shop("a 1.0.0")}, {shop("a 1.0.0"), shop("a x")}, {shop("a 1.0.0"), other}} {
		if _, err := search.Find(t.Context(), pair[0], pair[1], red(), search.Options{}); err == nil {
			t.Errorf("%v is accepted", pair)
		}
	}
	r := find(t, shop("a 1.0.0"), shop("a 1.0.0"), red(), search.Options{})
	if r.Count != 0 || r.ID != shop("a 1.0.0").ID() || !r.Complete {
		t.Error(protocol(r))
	}
}
