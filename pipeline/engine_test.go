package pipeline

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

type stageFunc func(context.Context, *Job) error

func (f stageFunc) Run(ctx context.Context, job *Job) error { return f(ctx, job) }

// keyed is a stage whose input and behaviour can be set.
type keyed struct {
	input *string
	run   func(context.Context, *Job) error
	tool  string
}

func (k keyed) Run(ctx context.Context, job *Job) error {
	if k.run == nil {
		return nil
	}
	return k.run(ctx, job)
}

func (k keyed) Key(_ context.Context, in *evidence.Inputs) error {
	if k.input != nil {
		in.Value("input", *k.input)
	}
	in.Tool("go", k.tool)
	return nil
}

func openStore(t testing.TB) *evidence.Store { return evidence.Open(t.TempDir()) }

// workbench is an engine with a checkout and a store of its own.
type workbench struct {
	Engine
	mu     sync.Mutex
	events []Event
}

func (w *workbench) Observe(e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

func newBench(t *testing.T, nodes ...Node) *workbench {
	t.Helper()
	p, err := NewPlan(nodes)
	if err != nil {
		t.Fatal(err)
	}
	w := &workbench{Engine: Engine{
		Plan: p, Checkout: OpenCheckout(t.TempDir()), Store: openStore(t), Locks: t.TempDir(),
		Masker: proc.NewMasker("s3cret-value"),
	}}
	w.Observer = w
	return w
}

func (w *workbench) run(t *testing.T) *Record {
	t.Helper()
	rec, err := w.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func write(job *Job, name, text string) error {
	return os.WriteFile(filepath.Join(job.Out, name), []byte(text), 0o644)
}

func TestSecondRunIsUpToDateUntilAnInputChanges(t *testing.T) {
	t.Parallel()
	input, runs := "one", 0
	node := Node{Name: "a/build", Service: "a", Kind: "build", Stage: keyed{input: &input, run: func(_ context.Context, job *Job) error {
		runs++
		job.Findings.Summary = "made " + input
		return write(job, "out.txt", input)
	}}}
	w := newBench(t, node)
	// Going back and forth between equally long outputs must never leave those
	// of the other input in place.
	for i, c := range []struct {
		input    string
		upToDate bool
		runs     int
	}{{"one", false, 1}, {"one", true, 1}, {"two", false, 2}, {"two", true, 2}, {"one", true, 2}, {"one", true, 2}, {"two", true, 2}} {
		input = c.input
		rec := w.run(t)
		r := rec.Result("a/build")
		if r.Status != Passed || r.UpToDate != c.upToDate || runs != c.runs {
			t.Errorf("run %d: %s, up to date %v, %d runs; want %+v", i, r.Status, r.UpToDate, runs, c)
		}
		if r.Message != "made "+c.input {
			t.Errorf("run %d: message %q", i, r.Message)
		}
		got, _ := os.ReadFile(filepath.Join(w.Checkout.Out("a/build"), "out.txt"))
		if string(got) != c.input {
			t.Errorf("run %d: output %q, want %q", i, got, c.input)
		}
	}
}

func TestDamagedOutputsAreRestored(t *testing.T) {
	t.Parallel()
	input, runs := "x", 0
	node := Node{Name: "a/build", Stage: keyed{input: &input, run: func(_ context.Context, job *Job) error {
		runs++
		return write(job, "out.txt", "good")
	}}}
	w := newBench(t, node)
	w.run(t)
	out := filepath.Join(w.Checkout.Out("a/build"), "out.txt")
	for name, damage := range map[string]func() error{
		"changed": func() error { return os.WriteFile(out, []byte("evil"), 0o644) },
		"removed": func() error { return os.RemoveAll(filepath.Dir(out)) },
		"added":   func() error { return os.WriteFile(out+".more", nil, 0o644) },
		"mode":    func() error { return os.Chmod(out, 0o755) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		r := w.run(t).Result("a/build")
		got, _ := os.ReadFile(out)
		if !r.UpToDate || string(got) != "good" || runs != 1 {
			t.Errorf("%s: up to date %v, output %q, %d runs", name, r.UpToDate, got, runs)
		}
	}
	if err := errors.Join(os.RemoveAll(filepath.Dir(out)), os.RemoveAll(storeDir(w))); err != nil {
		t.Fatal(err)
	}
	if r := w.run(t).Result("a/build"); r.UpToDate || runs != 2 {
		t.Errorf("without outputs and store: up to date %v, %d runs", r.UpToDate, runs)
	}
}

func storeDir(w *workbench) string { return w.Store.Dir() }

func TestEqualOutputsKeepDependentsUpToDate(t *testing.T) {
	t.Parallel()
	source, built := "v1 // comment", 0
	nodes := []Node{
		{Name: "a/build", Service: "a", Stage: keyed{input: &source, run: func(_ context.Context, job *Job) error {
			code, _, _ := strings.Cut(source, " //")
			return write(job, "bin", code)
		}}},
		{Name: "a/container", Service: "a", Needs: []string{"a/build"}, Stage: keyed{run: func(_ context.Context, job *Job) error {
			built++
			dir, ok := job.Need("build")
			data, err := os.ReadFile(filepath.Join(dir, "bin"))
			if !ok || err != nil {
				return errors.Join(errors.New("no build"), err)
			}
			return write(job, "image", string(data))
		}}},
	}
	w := newBench(t, nodes...)
	for _, c := range []struct {
		source   string
		upToDate bool
	}{{"v1 // comment", false}, {"v1 // other comment", true}, {"v2 // other comment", false}} {
		source = c.source
		if r := w.run(t).Result("a/container"); r.Status != Passed || r.UpToDate != c.upToDate {
			t.Errorf("%q: %s %q, up to date %v, want %v", c.source, r.Status, r.Message, r.UpToDate, c.upToDate)
		}
	}
}

func TestToolVersionCountsOnlyWhereItIsSeen(t *testing.T) {
	t.Parallel()
	input := "x"
	run := func(w *workbench, tool string) bool {
		w.Plan.nodes[0].Stage = keyed{input: &input, tool: tool}
		return w.run(t).Result("a/unit").UpToDate
	}
	w := newBench(t, Node{Name: "a/unit", Stage: nothing{}})
	for i, c := range []struct {
		tool string
		want bool
	}{{"go1.26.0", false}, {"go1.26.0", true}, {"", true}, {"go1.26.1", false}, {"go1.26.1", true}} {
		if got := run(w, c.tool); got != c.want {
			t.Errorf("%d: with tool %q up to date is %v, want %v", i, c.tool, got, c.want)
		}
	}
}

func TestSecretsAreMaskedInFindingsAndLog(t *testing.T) {
	t.Parallel()
	w := newBench(t, Node{Name: "a/unit", Service: "a", Kind: "unit", Stage: stageFunc(func(_ context.Context, job *Job) error {
		job.Findings.Tests = []Test{{Name: "TestX", Output: "token s3cret-value"}}
		job.Findings.Issues = []Issue{{Message: "s3cret-value"}}
		for _, part := range []string{"token s3cr", "et-value\n"} {
			if _, err := job.Log.Write([]byte(part)); err != nil {
				return err
			}
		}
		return nil
	})})
	r := w.run(t).Result("a/unit")
	log, err := os.ReadFile(r.Log)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"log": string(log), "test": r.Findings.Tests[0].Output, "issue": r.Findings.Issues[0].Message} {
		if !strings.Contains(text, proc.Mask) || strings.Contains(text, "s3cret") {
			t.Errorf("%s: %q", what, text)
		}
	}
}

func TestFailureSkipsWhatNeedsItAndStopsTheRest(t *testing.T) {
	t.Parallel()
	nodes := graph("a/build:", "a/unit: | a/build", "a/container: a/build", "a/module: a/container")
	nodes[1].Stage = stageFunc(func(context.Context, *Job) error {
		return &Failure{Summary: "1 of 3 tests failed", Cause: "--- FAIL: TestX\n    got s3cret-value"}
	})
	w := newBench(t, nodes...)
	w.Jobs = 1
	rec := w.run(t)
	want := map[string]Status{"a/build": Passed, "a/unit": Failed, "a/container": Passed, "a/module": Skipped}
	for node, status := range want {
		if got := rec.Result(node); got.Status != status {
			t.Errorf("%s is %s (%s), want %s", node, got.Status, got.Message, status)
		}
	}
	if cause := rec.Result("a/unit").Cause; !strings.Contains(cause, "TestX") || strings.Contains(cause, "s3cret") {
		t.Errorf("cause %q: want the test's name and no secret", cause)
	}
	w.KeepGoing = true
	if got := w.run(t).Result("a/module").Status; got != Passed {
		t.Errorf("with KeepGoing module is %s", got)
	}
}

func TestNotTestedStopsNeedsButNotOrder(t *testing.T) {
	t.Parallel()
	nodes := graph("a/container:", "a/module: a/container", "a/integration: a/container | a/module", "a/after: a/module")
	nodes[1].Stage = stageFunc(func(context.Context, *Job) error { return &NotTested{Why: "no engine"} })
	rec := newBench(t, nodes...).run(t)
	for node, want := range map[string]Status{"a/module": Untested, "a/integration": Passed, "a/after": Skipped} {
		if got := rec.Result(node).Status; got != want {
			t.Errorf("%s is %s, want %s", node, got, want)
		}
	}
	if rec.Status != Untested {
		t.Errorf("the run is %s: nothing is green by absence", rec.Status)
	}
}

func TestOnlyTransientFailuresAreTriedAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want int32
	}{{&NotTested{Why: "network", Transient: true}, 2}, {&NotTested{Why: "no engine"}, 1}, {errors.New("red"), 1}} {
		var runs atomic.Int32
		w := newBench(t, Node{Name: "a/x", Retries: 1, Stage: stageFunc(func(context.Context, *Job) error {
			runs.Add(1)
			return c.err
		})})
		w.run(t)
		if got := runs.Load(); got != c.want {
			t.Errorf("%v: %d runs, want %d", c.err, got, c.want)
		}
	}
}

// dirty is a stage that has something to clean up.
type dirty struct {
	stageFunc
	cleaned chan error
}

func (d dirty) Clean(ctx context.Context, _ *Job) error {
	d.cleaned <- ctx.Err()
	return nil
}

func TestCancelCleansUpAndIsRecorded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	stage := dirty{cleaned: make(chan error, 1), stageFunc: func(ctx context.Context, _ *Job) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}}
	nodes := graph("a/x:", "a/y: a/x")
	nodes[0].Stage = stage
	w := newBench(t, nodes...)
	rec, err := w.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-stage.cleaned; err != nil {
		t.Errorf("Clean got a context that was over: %v", err)
	}
	for _, node := range []string{"a/x", "a/y"} {
		if got := rec.Result(node).Status; got != Cancelled {
			t.Errorf("%s is %s", node, got)
		}
	}
	read, err := ReadRecord(rec.Dir)
	if err != nil || read.Status != Cancelled || len(read.Results) != 2 {
		t.Errorf("the record on disk: %+v, %v", read, err)
	}
	if dead := w.Checkout.DeadRuns(); len(dead) != 0 {
		t.Errorf("dead runs %v after an orderly end", dead)
	}
}

func TestTimeoutAndPanicAreFailures(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]Node{
		"not done after 1ms": {Name: "a/x", Timeout: time.Millisecond, Stage: stageFunc(func(ctx context.Context, _ *Job) error {
			<-ctx.Done()
			return context.Cause(ctx)
		})},
		"the stage panicked: boom": {Name: "a/x", Stage: stageFunc(func(context.Context, *Job) error { panic("boom") })},
	} {
		r := newBench(t, n).run(t).Result("a/x")
		if r.Status != Failed || r.Message != name {
			t.Errorf("%s %q, want failed %q", r.Status, r.Message, name)
		}
	}
}

func TestOnlyNeedsItsInputs(t *testing.T) {
	t.Parallel()
	input := "x"
	nodes := graph("a/build:", "a/container: a/build")
	nodes[0].Stage, nodes[1].Stage = keyed{input: &input}, keyed{}
	w := newBench(t, nodes...)
	w.Only = []string{"a/container"}
	rec := w.run(t)
	if r := rec.Result("a/container"); r.Status != Untested || !strings.Contains(r.Message, "pipeline run") {
		t.Errorf("without its input: %s %q", r.Status, r.Message)
	}
	w.Only = nil
	w.run(t)
	w.Only, w.Forced = []string{"a/container"}, []string{"a/build", "a/container"}
	if r := w.run(t).Result("a/container"); r.Status != Passed {
		t.Errorf("with its input: %s %q", r.Status, r.Message)
	}
}

func TestInputsThatChangeMeanwhileAreNotRemembered(t *testing.T) {
	t.Parallel()
	input := "one"
	w := newBench(t, Node{Name: "a/x", Stage: keyed{input: &input, run: func(context.Context, *Job) error {
		input = "two"
		return nil
	}}})
	w.Refresh = func(context.Context) error { return nil }
	if r := w.run(t).Result("a/x"); !strings.Contains(r.Message, "not remembered") {
		t.Errorf("message %q", r.Message)
	}
	input = "one"
	if r := w.run(t).Result("a/x"); r.UpToDate {
		t.Error("a verdict was kept for inputs that changed while the stage ran")
	}
}

func TestNeedsThatAnotherRunReplacesAreNotRemembered(t *testing.T) {
	t.Parallel()
	input := "x"
	nodes := graph("a/build:", "a/container: a/build")
	w := newBench(t)
	nodes[0].Stage = keyed{input: &input, run: func(_ context.Context, job *Job) error { return write(job, "bin", "mine") }}
	nodes[1].Stage = keyed{run: func(_ context.Context, job *Job) error {
		dir, _ := job.Need("build")
		return os.WriteFile(filepath.Join(dir, "bin"), []byte("hers"), 0o644)
	}}
	var err error
	if w.Plan, err = NewPlan(nodes); err != nil {
		t.Fatal(err)
	}
	if r := w.run(t).Result("a/container"); !strings.Contains(r.Message, "not remembered") {
		t.Errorf("message %q", r.Message)
	}
}

// TestTwoRunsOfOneStage lets the second run wait for the first and use its
// verdict.
func TestTwoRunsOfOneStage(t *testing.T) {
	t.Parallel()
	input := "x"
	var runs atomic.Int32
	begun, waiting := make(chan struct{}), make(chan struct{})
	w := newBench(t, Node{Name: "a/x", Stage: keyed{input: &input, run: func(context.Context, *Job) error {
		if runs.Add(1) == 1 {
			close(begun)
			<-waiting
		}
		return nil
	}}})
	second := w.Engine
	second.Observer = observerFunc(func(e Event) {
		if e.Type == EventWait {
			close(waiting)
		}
	})
	done := make(chan *Record)
	go func() {
		rec, _ := w.Run(t.Context())
		done <- rec
	}()
	<-begun
	rec, err := second.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if first := <-done; first.Result("a/x").UpToDate || !rec.Result("a/x").UpToDate || runs.Load() != 1 {
		t.Errorf("first up to date %v, second %v, %d runs", first.Result("a/x").UpToDate, rec.Result("a/x").UpToDate, runs.Load())
	}
}

type observerFunc func(Event)

func (f observerFunc) Observe(e Event) { f(e) }

func TestDeadRunIsBuried(t *testing.T) {
	t.Parallel()
	c := OpenCheckout(t.TempDir())
	run, err := c.newRun(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	rec, err := newRecorder(run, nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	rec.event(Event{Type: EventRun, Run: run.id, Schema: recordSchema, Plan: []string{"a/x"}})
	rec.event(Event{Type: EventStart, Node: "a/x"})
	if err := mkdirs(run.scratch()); err != nil {
		t.Fatal(err)
	}
	if dead := c.DeadRuns(); len(dead) != 0 {
		t.Fatalf("the run is alive but %v are called dead", dead)
	}
	run.lock.release() // as the kernel does when the process is killed
	if dead := c.DeadRuns(); len(dead) != 1 || dead[0] != run.id {
		t.Fatalf("dead runs %v, want %s", dead, run.id)
	}
	if _, err := c.Bury(run.id); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(run.scratch()); !os.IsNotExist(err) {
		t.Errorf("scratch folder after the burial: %v", err)
	}
	if dead := c.DeadRuns(); len(dead) != 0 {
		t.Errorf("still dead: %v", dead)
	}
	if read, err := ReadRecord(c.LastRun()); err != nil || read.Plan[0] != "a/x" || !read.Ended.IsZero() || !read.Began("x") || read.Began("y") {
		t.Errorf("the record of the dead run: %+v, %v", read, err)
	}
}

// checked is a stage with a check before the run.
type checked struct {
	keyed
	err error
}

func (c checked) Preflight(context.Context) error { return c.err }

func TestPreflightCountsOnlyForWhatHasToRun(t *testing.T) {
	t.Parallel()
	input, runs := "x", 0
	stage := checked{keyed: keyed{input: &input, run: func(context.Context, *Job) error { runs++; return nil }}}
	w := newBench(t, Node{Name: "a/x", Stage: stage})
	w.run(t)
	stage.err = &NotTested{Why: "no engine answers", Remedy: "start one"}
	w.Plan.nodes[0].Stage = stage
	if r := w.run(t).Result("a/x"); r.Status != Passed || !r.UpToDate {
		t.Errorf("an up-to-date stage with a failing check: %s %q", r.Status, r.Message)
	}
	input = "y"
	if r := w.run(t).Result("a/x"); r.Status != Untested || r.Message != "no engine answers; start one" || runs != 1 {
		t.Errorf("a stage that has to run with a failing check: %s %q, %d runs", r.Status, r.Message, runs)
	}
}

func TestBackgroundLeavesRoom(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	nodes := graph("a/unit:", "b/unit:", "c/unit:", "a/integration:")
	for i := range 3 {
		nodes[i].Background = true
		nodes[i].Stage = stageFunc(func(context.Context, *Job) error { <-release; return nil })
	}
	nodes[3].Stage = stageFunc(func(context.Context, *Job) error { close(release); return nil })
	w := newBench(t, nodes...)
	w.Jobs = 2
	if rec := w.run(t); rec.Status != Passed { // else the others never end
		t.Errorf("%s", rec.Status)
	}
}
