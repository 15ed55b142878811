package release_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign/signtest"
)

// A child releases, writes its effects to a file, and kills itself at one.
const (
	worldVariable = "RELEASE_TEST_WORLD"
	killVariable  = "RELEASE_TEST_KILL" // "3 before"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(worldVariable); text != "" {
		os.Exit(child(text, os.Getenv(killVariable)))
	}
	os.Exit(m.Run())
}

func child(text, kill string) int {
	w := &world{}
	if err := json.Unmarshal([]byte(text), w); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	n := 0
	r := &releaser{world: w, effect: func(what string, done bool) {
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
	ctx, stop := testContext()
	defer stop()
	if err := r.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// release runs a child and returns the effects that it told of; killed says
// that it ended by SIGKILL.
func (w *world) release(t *testing.T, kill string) (effects []string, killed bool) {
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
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		killed = true
	} else if err != nil {
		t.Fatalf("release: %v\n%s", err, failure.String())
	}
	for lines := bufio.NewScanner(strings.NewReader(string(out))); lines.Scan(); {
		if number, what, ok := strings.Cut(lines.Text(), " before "); ok {
			effects = append(effects, number+" "+what)
		}
	}
	return effects, killed
}

// TestKilledAnywhere releases undisturbed and takes the effects from its
// journal; then it kills a release before and after each of them and releases
// again. What is left behind is the same to the byte.
func TestKilledAnywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills dozens of processes")
	}
	t.Parallel()
	bundle, key := newBundle(t), signtest.PEM(t)
	for name, byGit := range map[string]bool{"GitLab": false, "git alone": true} {
		undisturbed := newWorld(t, bundle, key, byGit)
		effects, _ := undisturbed.release(t, "")
		want := undisturbed.state(t)
		if len(effects) < 10 {
			t.Fatalf("%s: only %d effects: %q", name, len(effects), effects)
		}
		equal := 0
		var mu sync.Mutex
		t.Run(name, func(t *testing.T) {
			for i := range effects {
				for _, when := range []string{"before", "after"} {
					point := fmt.Sprintf("%d %s", i+1, when)
					t.Run(point, func(t *testing.T) {
						t.Parallel()
						w := newWorld(t, bundle, key, byGit)
						if _, killed := w.release(t, point); !killed {
							t.Fatalf("not killed %s", effects[i])
						}
						w.release(t, "")
						if got := w.state(t); got != want {
							t.Errorf("killed %s %s: another end\n%s\nundisturbed\n%s", when, effects[i], got, want)
							return
						}
						mu.Lock()
						equal++
						mu.Unlock()
					})
				}
			}
		})
		t.Logf("%s: %d effects, killed at %d points, %d ends equal to the undisturbed one", name, len(effects), 2*len(effects), equal)
	}
}

// TestTwoAtOnce has two releases of one bundle begin together, a hundred times.
func TestTwoAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("starts hundreds of processes")
	}
	t.Parallel()
	bundle, key := newBundle(t), signtest.PEM(t)
	alone := newWorld(t, bundle, key, false)
	alone.release(t, "")
	want := alone.state(t)
	for i := range 100 {
		w := newWorld(t, bundle, key, false)
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				r := &releaser{world: w, effect: func(string, bool) {}}
				if err := r.run(t.Context()); err != nil {
					t.Errorf("round %d: %v", i, err)
				}
			})
		}
		group.Wait()
		if got := w.state(t); got != want {
			t.Fatalf("round %d: two at once end differently\n%s\nalone\n%s", i, got, want)
		}
	}
}

func TestVersionTakenByAnotherBundle(t *testing.T) {
	t.Parallel()
	key := signtest.PEM(t)
	w := newWorld(t, newBundle(t), key, false)
	w.release(t, "")
	before := w.state(t)
	other := *w
	other.Layout = filepath.Join(t.TempDir(), "other")
	if err := os.CopyFS(other.Layout, os.DirFS(newOtherBundle(t))); err != nil {
		t.Fatal(err)
	}
	r := &releaser{world: &other, effect: func(what string, _ bool) { t.Errorf("an effect: %s", what) }}
	if err := r.run(t.Context()); err == nil {
		t.Error("1.2.0 was given to a second bundle")
	}
	if w.state(t) != before {
		t.Error("something was changed")
	}
}
