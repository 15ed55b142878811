package pipeline

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// publishing is a stage that publishes one file, waits for the channel and then
// ends with err.
func publishing(until <-chan struct{}, err error) Stage {
	return stageFunc(func(ctx context.Context, job *Job) error {
		if err := write(job, "program", "1"); err != nil {
			return err
		}
		if err := job.Publish(); err != nil {
			return err
		}
		select {
		case <-until:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// signalling is a stage that closes the channel and waits for another.
func signalling(begun chan<- struct{}, until <-chan struct{}) Stage {
	return stageFunc(func(ctx context.Context, job *Job) error {
		close(begun)
		select {
		case <-until:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// finishes lists the nodes in the order of their results.
func finishes(rec *Record) []string {
	var names []string
	for _, r := range rec.Results {
		names = append(names, r.Node+" "+string(r.Status))
	}
	return names
}

func TestWhatNeedsPublishedOutputsRunsAhead(t *testing.T) {
	t.Parallel()
	packed := make(chan struct{})
	nodes := graph("a/build:", "a/unit: | a/build", "a/container: a/build", "a/module: a/container")
	nodes[0].Stage = publishing(packed, nil) // ends only when all others have
	nodes[3].Stage = stageFunc(func(_ context.Context, job *Job) error {
		if _, ok := job.Need("container"); !ok {
			t.Error("the outputs of the container are not there")
		}
		close(packed)
		return nil
	})
	rec := newBench(t, nodes...).run(t)
	got := finishes(rec)
	if len(got) != 4 || got[0] != "a/build passed" || rec.Status != Passed {
		t.Errorf("%s: %q, want four passed with the build first", rec.Status, got)
	}
}

func TestRedAfterPublishingSkipsWhatRanAhead(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	nodes := graph("a/build:", "a/container: a/build", "a/module: a/container", "a/late: a/module")
	nodes[0].Stage = publishing(begun, &Failure{Summary: "not tidy"})
	nodes[2].Stage = signalling(begun, nil) // until it is cancelled
	rec := newBench(t, nodes...).run(t)
	if got := finishes(rec); got[0] != "a/build failed" || len(got) != 4 {
		t.Errorf("%q: want the failed build first", got)
	}
	for node, want := range map[string]string{
		"a/container": "because a/build is failed", "a/module": "because a/container is skipped", "a/late": "because a/build failed",
	} {
		if r := rec.Result(node); r.Status != Skipped || r.Message != want {
			t.Errorf("%s is %s (%s), want skipped (%s)", node, r.Status, r.Message, want)
		}
	}
}

func TestRedBesideSkips(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	nodes := graph("a/container:", "a/module: a/container", "a/integration: a/container")
	nodes[1].Stage = stageFunc(func(context.Context, *Job) error { <-begun; return &Failure{Summary: "dies at start"} })
	nodes[2].Stage, nodes[2].Beside = signalling(begun, nil), []string{"a/module"}
	rec := newBench(t, nodes...).run(t)
	want := []string{"a/container passed", "a/module failed", "a/integration skipped"}
	if got := finishes(rec); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestResultWaitsForWhatStandsBeside(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	nodes := graph("a/module:", "a/integration:")
	nodes[0].Stage = stageFunc(func(context.Context, *Job) error { <-done; return &NotTested{Why: "no runtime"} })
	nodes[1].Stage = stageFunc(func(context.Context, *Job) error { close(done); return nil })
	nodes[1].Beside = []string{"a/module"}
	rec := newBench(t, nodes...).run(t)
	want := []string{"a/module not tested", "a/integration passed"}
	if got := finishes(rec); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestWhatIsHeldIsSaid(t *testing.T) {
	t.Parallel()
	held := make(chan string, 1)
	nodes := graph("a/module:", "a/integration:")
	nodes[0].Stage = stageFunc(func(ctx context.Context, _ *Job) error {
		select {
		case text := <-held:
			if text != "a/integration: for the end of a/module" {
				t.Errorf("held: %q", text)
			}
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	nodes[1].Stage = stageFunc(func(context.Context, *Job) error { return nil })
	nodes[1].Beside = []string{"a/module"}
	w := newBench(t, nodes...)
	w.Observer = observerFunc(func(e Event) {
		if e.Type == EventHold {
			held <- e.Node + ": " + e.Text
		}
	})
	if rec := w.run(t); rec.Status != Passed {
		t.Errorf("%s: %q", rec.Status, finishes(rec))
	}
}

func TestWhatRanAheadIsUpToDateInTheNextRun(t *testing.T) {
	t.Parallel()
	ready := make(chan struct{})
	close(ready)
	input := "1"
	nodes := graph("a/build:", "a/container: a/build")
	red := keyed{input: &input, run: publishing(ready, &Failure{Summary: "not tidy"}).Run}
	nodes[0].Stage, nodes[1].Stage = red, keyed{}
	w := newBench(t, nodes...)
	if got := w.run(t).Status; got != Failed {
		t.Fatalf("the first run is %s", got)
	}
	nodes[0].Stage = keyed{input: &input, run: publishing(ready, nil).Run}
	w.Plan, _ = NewPlan(nodes)
	for range 2 {
		if rec := w.run(t); rec.Status != Passed {
			t.Errorf("%q", finishes(rec))
		}
	}
	if r := w.run(t).Result("a/container"); !r.UpToDate {
		t.Errorf("%+v", r)
	}
}

func TestAttemptsHaveToPublishTheSame(t *testing.T) {
	t.Parallel()
	try := 0
	nodes := graph("a/build:")
	nodes[0].Retries = 1
	nodes[0].Stage = stageFunc(func(_ context.Context, job *Job) error {
		try++
		if err := write(job, "program", strings.Repeat("x", try)); err != nil {
			return err
		}
		if err := job.Publish(); err != nil {
			return err
		}
		return &NotTested{Why: "the network stutters", Transient: true}
	})
	r := newBench(t, nodes...).run(t).Result("a/build")
	if try != 2 || r.Status == Passed || !strings.Contains(r.Message, "differ from those of the first attempt") {
		t.Errorf("after %d attempts: %s (%s)", try, r.Status, r.Message)
	}
}

func TestCancelledRunAheadIsCancelledItself(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begun := make(chan struct{})
	nodes := graph("a/build:", "a/container: a/build", "a/module: a/container")
	nodes[0].Stage = publishing(nil, nil) // until it is cancelled
	nodes[2].Stage = signalling(begun, nil)
	go func() { <-begun; cancel() }()
	rec, err := newBench(t, nodes...).Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// The container had passed, but nobody knows whether it would have counted.
	for node, want := range map[string]Status{"a/build": Cancelled, "a/container": Skipped, "a/module": Cancelled} {
		if r := rec.Result(node); r.Status != want {
			t.Errorf("%s is %s (%s), want %s", node, r.Status, r.Message, want)
		}
	}
}
