package promote_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/gitrepo"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/promote"
)

// contest has two promotions, decided on the same state, carried out at once,
// while somebody reads the environment (r may be nil).
func contest(t *testing.T, worlds [2]world, current *promote.Environment, r *reader) (errs [2]error) {
	t.Helper()
	var plans [2]*promote.Plan
	for i := range worlds {
		var err error
		if plans[i], err = worlds[i].silent().planOn(t.Context(), current); err != nil {
			t.Fatal(err)
		}
	}
	var group sync.WaitGroup
	for i, plan := range plans {
		group.Go(func() { errs[i] = release.Apply(t.Context(), plan.Steps(), func(release.Step, bool) {}) })
	}
	if r != nil {
		group.Go(func() { r.look(t) })
	}
	group.Wait()
	return errs
}

func (w *world) environment(t *testing.T) *promote.Environment {
	t.Helper()
	e, err := promote.ReadEnvironment(t.Context(), &gitrepo.Repo{Root: w.Clone}, w.Remote, w.Env)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestTwoAtOnce has two different combinations promoted at once, a hundred times:
// one wins, the other says who has, and nothing of it can be seen.
func TestTwoAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("promotes hundreds of times")
	}
	t.Parallel()
	s := newSupplies(t)
	base := newWorld(t, s, s.locks[0], "staging")
	base.promote(t)
	wins, seen := map[string]int{}, map[string]int{}
	for range 5 {
		w := base.copy(t)
		at, by := 0, "anna"
		for round := range 20 {
			var r *reader
			if round%4 == 0 {
				r = &reader{w: w, clone: w.Clone, seen: seen}
			}
			current := w.check(t, s.locks[at], int64(round+1), by)
			winner := w.round(t, s, current, r, at, round)
			at, by = (at+1+winner)%3, []string{"anna", "bert"}[winner]
			wins[by]++
		}
		w.check(t, s.locks[at], 21, by)
		w.deployed(t, 21)
	}
	if seen[""] > 0 {
		t.Errorf("a reader saw %v", seen)
	}
	t.Logf("100 rounds, won by %v; a reader saw %v", wins, seen)
}

// round is one contest, from the lock with number at; it returns who has won.
func (w *world) round(t *testing.T, s *supplies, current *promote.Environment, r *reader, at, round int) (winner int) {
	t.Helper()
	worlds := [2]world{*w, *w}
	for i, by := range []string{"anna", "bert"} {
		worlds[i].By, worlds[i].Now = by, w.Now.Add(time.Duration(round)*time.Second)
		worlds[i].wants(t, s.locks[(at+1+i)%3])
	}
	errs := contest(t, worlds, current, r)
	if errs[0] != nil {
		winner = 1
	}
	var moved *promote.MovedError
	var lost *gitrepo.LostError
	by, lock := worlds[winner].By, s.locks[(at+1+winner)%3]
	if errs[winner] != nil || !errors.As(errs[1-winner], &moved) || !errors.As(errs[1-winner], &lost) || moved.By != by || moved.Version != lock.Version ||
		!strings.Contains(moved.Error(), by+" has just moved it to version "+lock.Version) {
		t.Fatalf("round %d: %v and %v", round, errs[0], errs[1])
	}
	return winner
}

// check compares where the environment and its tag are.
func (w *world) check(t *testing.T, lock *scs.Lock, sequence int64, by string) *promote.Environment {
	t.Helper()
	rules, _, err := w.rules()
	if err != nil {
		t.Fatal(err)
	}
	e := w.environment(t)
	last, err := e.Last(rules)
	if err != nil || last.ID != lock.ID() || last.Sequence != sequence || last.By != by || len(e.Older) != int(sequence-1) {
		t.Fatalf("%v: %+v; want %s by %s as number %d", err, last, lock.Version, by, sequence)
	}
	tag, err := open(t, w.Registry+"/shop/system", nil).Head(t.Context(), w.Env)
	if err != nil || tag != lock.ID() {
		t.Fatalf("the tag names %s, %v", tag, err)
	}
	return e
}

// deployed says which commits GitLab was told of.
func (w *world) deployed(t *testing.T, want int) {
	t.Helper()
	dump, err := w.double.Dump()
	if err != nil || strings.Count(string(dump), `"environment": "`+w.Env+`"`) != want || strings.Count(string(dump), w.environment(t).Tip) != 2 {
		t.Errorf("%v: want %d deployments\n%s", err, want, dump)
	}
}

// TestSameAtOnce has the same combination promoted by two at once: both end
// well, and there is one promotion.
func TestSameAtOnce(t *testing.T) {
	t.Parallel()
	s := newSupplies(t)
	w := newWorld(t, s, s.locks[0], "staging")
	r := newReader(t, w)
	for round := range 10 {
		lock := s.locks[round%3]
		worlds := [2]world{*w, *w}
		for i, by := range []string{"anna", "bert"} {
			worlds[i].By, worlds[i].Now = by, w.Now.Add(time.Duration(round)*time.Second)
			worlds[i].wants(t, lock)
		}
		if errs := contest(t, worlds, w.environment(t), r); errors.Join(errs[0], errs[1]) != nil {
			t.Fatalf("round %d: %v and %v", round, errs[0], errs[1])
		}
		if e := w.environment(t); len(e.Older) != round {
			t.Fatalf("round %d: %d promotions", round, 1+len(e.Older))
		}
	}
	w.deployed(t, 10)
}

// TestSlowFollower has a promotion stop behind its push until another one is
// through: the tag and GitLab's newest deployment are those of the other.
func TestSlowFollower(t *testing.T) {
	t.Parallel()
	s := newSupplies(t)
	w := newWorld(t, s, s.locks[0], "staging")
	p := &promoter{world: w}
	p.effect = func(what string, done bool) {
		if what == "git push" && done {
			other := *w
			other.By = "bert"
			other.wants(t, s.locks[1])
			if err := other.silent().run(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	if err := p.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	tag, err := open(t, w.Registry+"/shop/system", nil).Head(t.Context(), "staging")
	if err != nil || tag != s.locks[1].ID() {
		t.Errorf("the tag names %s, %v; want %s", tag, err, s.locks[1].ID())
	}
	w.deployed(t, 1)
}

// TestRegistryGone closes the registry before each of its effects. The promotion
// says so; when the registry is back, the next one completes it.
func TestRegistryGone(t *testing.T) {
	t.Parallel()
	s := newSupplies(t)
	base := newWorld(t, s, s.locks[0], "staging")
	undisturbed, n := base.copy(t), 0
	counting := &promoter{undisturbed, func(what string, done bool) {
		if strings.HasPrefix(what, "registry") && !done {
			n++
		}
	}}
	if err := counting.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := undisturbed.state(t)
	t.Run("at", func(t *testing.T) {
		for k := 1; k <= n; k++ {
			t.Run(fmt.Sprint(k), func(t *testing.T) {
				t.Parallel()
				w := base.copy(t)
				server, stop := gate(t, w.Registry)
				direct := w.Registry
				w.Registry = server
				met := 0
				p := &promoter{w, func(what string, done bool) {
					if !strings.HasPrefix(what, "registry") || done {
						return
					}
					if met++; met == k {
						stop()
					}
				}}
				err := p.run(t.Context())
				if err == nil || !strings.Contains(err.Error(), server) {
					t.Fatalf("the error is %v", err)
				}
				w.Registry = direct
				w.promote(t)
				if got := w.state(t); got != want {
					t.Errorf("%v\nanother end\n%s\nundisturbed\n%s", err, got, want)
				}
			})
		}
	})
	t.Logf("the registry was gone at each of %d effects", n)
}

// gate passes requests on to a registry until it is stopped.
func gate(t *testing.T, host string) (front string, stop func()) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := r.Clone(r.Context())
		request.URL.Scheme, request.URL.Host, request.RequestURI, request.Host = "http", host, "", host
		resp, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		for key, values := range resp.Header {
			w.Header()[key] = values
		}
		w.WriteHeader(resp.StatusCode)
		_, _ = copyBody(w, resp)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), func() { server.CloseClientConnections(); server.Listener.Close() }
}
