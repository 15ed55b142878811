package promote_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A child promotes, writes its effects to a file, and kills itself at one.
const (
	worldVariable = "PROMOTE_TEST_WORLD"
	killVariable  = "PROMOTE_TEST_KILL" // "3 before"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(worldVariable); text != "" {
		os.Exit(child(text, os.Getenv(killVariable)))
	}
	// No ssh is needed, and git is not asked for one.
	os.Setenv("GIT_SSH_COMMAND", "ssh")
	os.Exit(m.Run())
}

func child(text, kill string) int {
	w := &world{}
	if err := json.Unmarshal([]byte(text), w); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	n := 0
	p := &promoter{w, func(what string, done bool) {
		when := "after"
		if !done {
			n++
			when = "before"
		}
		fmt.Printf("%d %s %s\n", n, when, what)
		if kill == fmt.Sprintf("%d %s", n, when) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	}}
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Minute)
	defer stop()
	if err := p.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// child runs a child and returns the effects that it told of; killed says that it
// ended by SIGKILL.
func (w *world) child(t *testing.T, kill string) (effects []string, killed bool) {
	t.Helper()
	text, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), worldVariable+"="+string(text), killVariable+"="+kill)
	var failure strings.Builder
	cmd.Stderr = &failure
	out, err := cmd.Output()
	for line := range strings.Lines(string(out)) {
		if number, what, ok := strings.Cut(strings.TrimSpace(line), " before "); ok {
			effects = append(effects, number+" "+what)
		}
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		killed = true
	} else if err != nil {
		t.Fatalf("promote: %v\n%s", err, failure.String())
	}
	return effects, killed
}

// reader looks at an environment again and again, in a clone of its own.
type reader struct {
	w     *world
	clone string
	seen  map[string]int // looks by version
}

func newReader(t *testing.T, w *world) *reader {
	t.Helper()
	r := &reader{w: w, clone: filepath.Join(t.TempDir(), "reader"), seen: map[string]int{}}
	git(t, "", "clone", "-q", "--template=", "--shared", w.Remote, r.clone)
	return r
}

func (r *reader) look(t *testing.T) {
	t.Helper()
	version, err := r.w.look(t.Context(), r.clone, r.w.Env)
	if err != nil {
		t.Errorf("a reader meets a mixed set: %v", err)
	}
	r.seen[version]++
}

// until looks until it is stopped, and once more; the function that it returns
// stops it.
func (r *reader) until(t *testing.T) (stop func()) {
	t.Helper()
	var ended atomic.Bool
	var group sync.WaitGroup
	group.Go(func() {
		for last := false; !last; {
			last = ended.Load()
			r.look(t)
		}
	})
	return func() { ended.Store(true); group.Wait() }
}

// TestKilledAnywhere promotes undisturbed, from one combination to the next, and
// takes the effects from the journal; then it kills a promotion before and after
// each of them and promotes again. What is left behind is the same to the byte.
// Who reads the environment sees the old or the new combination, all of it:
// during the undisturbed promotion, and at each point where one was killed.
func TestKilledAnywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills dozens of processes")
	}
	t.Parallel()
	s := newSupplies(t)
	base := newWorld(t, s, s.locks[0], "staging")
	base.promote(t)
	base.wants(t, s.locks[1])
	base.Now = base.Now.Add(time.Minute)

	undisturbed := base.copy(t)
	all := newReader(t, undisturbed)
	stop := all.until(t)
	effects, _ := undisturbed.child(t, "")
	stop()
	want := undisturbed.state(t)
	kinds := map[string]int{}
	for _, e := range effects {
		kinds[strings.Join(strings.Fields(e)[1:3], " ")]++
	}
	if len(effects) < 10 || kinds["git commit"] != 1 || kinds["git push"] != 1 || kinds["gitlab POST"] != 1 || kinds["registry tag"] != 2 {
		t.Fatalf("%d effects: %q", len(effects), effects)
	}
	if all.seen["0.1.1"] == 0 || all.seen[""] > 0 {
		t.Errorf("a reader saw %v", all.seen)
	}
	var mu sync.Mutex
	equal, looks := 0, map[string]int{}
	t.Run("at", func(t *testing.T) {
		for i, effect := range effects {
			for _, when := range []string{"before", "after"} {
				point := fmt.Sprintf("%d %s", i+1, when)
				t.Run(point, func(t *testing.T) {
					t.Parallel()
					w := base.copy(t)
					r := &reader{w: w, clone: w.Clone, seen: map[string]int{}}
					if _, killed := w.child(t, point); !killed {
						t.Errorf("not killed %s", effect)
					}
					r.look(t)
					w.child(t, "")
					r.look(t)
					if got := w.state(t); got != want {
						t.Errorf("killed %s %s: another end\n%s\nundisturbed\n%s", when, effect, got, want)
						return
					}
					mu.Lock()
					defer mu.Unlock()
					equal++
					for version, n := range r.seen {
						looks[version] += n
					}
				})
			}
		}
	})
	t.Logf("%d effects %v, killed at %d points, %d ends equal to the undisturbed one; readers saw %v and, undisturbed, %v",
		len(effects), kinds, 2*len(effects), equal, looks, all.seen)
	if looks["0.1.0"] == 0 || looks["0.1.1"] <= len(effects) || len(looks) != 2 {
		t.Errorf("readers saw %v", looks)
	}
}
