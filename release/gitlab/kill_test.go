package gitlab_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

// TestMain makes the test binary a client process when a test starts it so.
func TestMain(m *testing.M) {
	if os.Getenv("GITLAB_TEST_SERVER") != "" {
		if err := publish(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// publish is what a client process does: every kind of effect.
func publish(ctx context.Context) error {
	c, err := gitlab.New(gitlab.Config{
		Server: os.Getenv("GITLAB_TEST_SERVER"), Project: "group/sub/app", Token: gitlab.NewToken(gitlab.KindAccess, os.Getenv("PIPELINE_GITLAB_TOKEN")),
	})
	if err != nil {
		return err
	}
	r := gitlab.Release{Tag: "v1.0.0", Commit: os.Getenv("GITLAB_TEST_COMMIT"), Name: "1.0.0", Notes: "notes", Message: "annotated"}
	for _, name := range []string{"app_linux_amd64", "app_linux_arm64"} {
		a, err := c.EnsureAsset(ctx, gitlab.Asset{Package: "app", Version: "1.0.0", Name: name, Content: []byte(name)})
		if err != nil {
			return err
		}
		r.Links = append(r.Links, gitlab.Link{Name: name, URL: a.URL, Type: gitlab.LinkPackage})
	}
	if _, err := c.EnsureRelease(ctx, r); err != nil {
		return err
	}
	// A later run has one link more, and other notes.
	r.Links = append(r.Links, gitlab.Link{Name: "docs", URL: "https://example.com/docs"})
	r.Notes = "notes, said better"
	if _, err := c.EnsureRelease(ctx, r); err != nil {
		return err
	}
	_, err = c.EnsureNote(ctx, 1, "released", "in 1.0.0")
	return err
}

// child is a client process of a forge that has a merge request.
func (f *forge) child(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "GITLAB_TEST_SERVER="+f.URL, "GITLAB_TEST_COMMIT="+f.commit, "PIPELINE_GITLAB_TOKEN="+f.AccessToken("maria", "api"))
	return cmd
}

func newForgeWithRequest(t *testing.T) *forge {
	t.Helper()
	f := newForge(t)
	f.opened(t)
	return f
}

// point is one write: the nth request of its route.
type point struct {
	on string
	n  int
}

// A client is killed before and after each of its effects; the next one
// finishes the work, and nothing is there twice.
func TestKilledAtEachEffect(t *testing.T) {
	t.Parallel()
	undisturbed := newForgeWithRequest(t)
	if out, err := undisturbed.child(t).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := undisturbed.dump(t)
	for text, times := range map[string]int{
		`"file": "app_linux_`: 2, `"name": "app_linux_`: 2, `"name": "docs"`: 1, "notes, said better": 1, "pipeline:note released": 1, "refs/tags/v1.0.0": 1,
	} {
		if got := strings.Count(want, text); got != times {
			t.Errorf("the undisturbed outcome has %q %d times, want %d", text, got, times)
		}
	}
	var points []point
	seen := map[string]int{}
	for _, e := range undisturbed.Journal() {
		if e.Changed {
			points = append(points, point{e.On(), seen[e.On()]})
			seen[e.On()]++
		}
	}
	if len(points) != 6 {
		t.Errorf("%d effects: %v", len(points), points)
	}
	for _, p := range points {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %d after=%v", p.on, p.n, after), func(t *testing.T) {
				t.Parallel()
				f := newForgeWithRequest(t)
				f.killAt(t, p, after)
				if out, err := f.child(t).CombinedOutput(); err != nil {
					t.Fatalf("the next client: %v\n%s", err, out)
				}
				if diff := cmp.Diff(want, f.dump(t)); diff != "" {
					t.Errorf("(-undisturbed +killed and finished):\n%s", diff)
				}
			})
		}
	}
	t.Logf("%d effects, killed before and after each", len(points))
}

// killAt runs a client that dies at a point.
func (f *forge) killAt(t *testing.T, p point, after bool) {
	t.Helper()
	cmd := f.child(t)
	started := make(chan *os.Process, 1)
	kill := func() {
		process := <-started
		if err := process.Kill(); err != nil {
			t.Error(err)
		}
	}
	fault := gitlabtest.Fault{On: p.on, Skip: p.n, Cut: true, After: after}
	if after {
		var count atomic.Int64
		f.Watch(func(e gitlabtest.Event, done bool) {
			if done && e.On() == p.on && count.Add(1) == int64(p.n)+1 {
				kill()
			}
		})
	} else {
		fault.Race = kill
	}
	f.Fault(fault)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	started <- cmd.Process
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("the client was not killed: %v", cmd.ProcessState)
	}
	if sent := slices.ContainsFunc(f.Journal(), func(e gitlabtest.Event) bool { return e.On() == p.on }); after && !sent {
		t.Error("there was no effect before the end")
	}
}
