// Package pipeline is the engine: stages in a plan, run in parallel, each with
// a verdict bound to what it looked at.
//
// Structure is data (Node, Plan), behaviour is the one method of Stage. The
// engine decides for every node whether a verdict for exactly its inputs is
// there already; if so the node is up to date, otherwise it runs, and what it
// made and found is kept under its key. It knows nothing of containers,
// Kubernetes, git or GitLab.
//
// Everything that happens is an Event: written to the run's record from the
// first moment on, and shown to an Observer. After a kill the record says what
// was going on, and the next run frees what the dead one left.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// Engine runs a plan. Fields are not changed after the first use.
type Engine struct {
	Plan     *Plan
	Checkout *Checkout
	Store    *evidence.Store
	// Locks is the folder for locks that all checkouts of a user share.
	Locks    string
	Observer Observer
	Masker   *proc.Masker
	// Jobs is how many stages run at once; zero is two per processor and at
	// least six, because a stage often waits for others than processors. Half of
	// them, and at least one, may be in the background.
	Jobs int
	// Forced are the nodes that run, verdict or not.
	Forced []string
	// Version is that of this program: a tool like others, whose verdicts another
	// version does not take over. Empty when it is not known.
	Version string
	// Only, if not empty, are the nodes that may run; all others must be up to
	// date already.
	Only []string
	// KeepGoing starts stages also after another one has failed.
	KeepGoing bool
	// Refresh makes the sources be read again, for a node whose inputs may have
	// changed while it ran. Optional.
	Refresh func(ctx context.Context) error
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

func (e *Engine) decider() *decider {
	force := func(node string) bool { return slices.Contains(e.Forced, node) && e.may(node) }
	return &decider{checkout: e.Checkout, store: e.Store, force: force, version: e.Version}
}

func (e *Engine) now() time.Time {
	if e.Now != nil {
		return e.Now()
	}
	return time.Now()
}

func (e *Engine) jobs() int {
	if e.Jobs > 0 {
		return e.Jobs
	}
	return max(6, 2*runtime.NumCPU())
}

// room reports whether one more node can run.
func (s *scheduler) room(n *Node) bool {
	jobs := s.e.jobs()
	return s.running < jobs && (!n.Background || s.background < max(1, jobs/2))
}

// Run runs what has no verdict. The record is complete also when stages failed
// or ctx was cancelled; the error tells only that the engine itself could not
// do its work (no place to write, sources that cannot be read).
func (e *Engine) Run(ctx context.Context) (*Record, error) {
	run, err := e.Checkout.newRun(e.now())
	if err != nil {
		return nil, fmt.Errorf("begin a run: %w; %s must be writable", err, e.Checkout.dir)
	}
	rec, err := newRecorder(run, e.Observer, e.now)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("begin the record: %w", err), e.Checkout.finish(run))
	}
	rec.event(Event{Type: EventRun, Run: run.id, Schema: recordSchema, Plan: e.names()})
	s := newScheduler(e, run, rec)
	if s.broken = s.preflight(ctx); s.broken == nil {
		s.run(ctx)
	}
	if len(rec.record.Begun) > 0 {
		proc.KillStrays(run.id) // what a stage started and let go of
	}
	rec.event(Event{Type: EventEnd, Status: string(s.status(ctx))})
	err = errors.Join(s.broken, rec.close(), e.Checkout.finish(run))
	e.Checkout.prune()
	return rec.record, err
}

func (e *Engine) names() []string {
	names := make([]string, len(e.Plan.nodes))
	for i, n := range e.Plan.nodes {
		names[i] = n.Name
	}
	return names
}

// may reports whether the node may run, and not only be up to date.
func (e *Engine) may(node string) bool { return len(e.Only) == 0 || slices.Contains(e.Only, node) }

// scheduler is the state of one run. All of it belongs to the goroutine in
// run; workers send their results over done.
type scheduler struct {
	e       *Engine
	dir     *runDir
	rec     *recorder
	decider *decider

	order   []*Node // the next to start first
	results map[string]Result
	// outputs has those of nodes with a result that opens, and of nodes that
	// published them before their end.
	outputs map[string][]evidence.Output
	started map[string]bool
	cancels map[string]context.CancelFunc // of the nodes that run
	held    []finished                    // what ran ahead and ended before a node that it needs
	// grounded has the nodes whose check before the run failed.
	grounded   map[string]error
	running    int // how many, of which so many in the background
	background int
	failed     string // the first node that failed
	done       chan finished
	published  chan publication
	cancelled  bool // the run, by its context
	broken     error
}

// finished is what a worker hands back.
type finished struct {
	result  Result
	outputs []evidence.Output
	err     error // the engine's own trouble
}

func newScheduler(e *Engine, dir *runDir, rec *recorder) *scheduler {
	return &scheduler{
		e: e, dir: dir, rec: rec, decider: e.decider(), order: e.Plan.byUrgency(),
		results: map[string]Result{}, outputs: map[string][]evidence.Output{},
		started: map[string]bool{}, cancels: map[string]context.CancelFunc{}, grounded: map[string]error{},
		done: make(chan finished), published: make(chan publication),
	}
}

func (s *scheduler) run(ctx context.Context) {
	for {
		s.startReady(ctx)
		if s.running == 0 {
			return
		}
		select {
		case p := <-s.published:
			s.outputs[p.node] = p.outputs
		case f := <-s.done:
			s.end(ctx, f)
		}
	}
}

// end takes in what a worker hands back.
func (s *scheduler) end(ctx context.Context, f finished) {
	s.cancelled = s.cancelled || ctx.Err() != nil
	s.running--
	if s.e.Plan.Node(f.result.Node).Background {
		s.background--
	}
	s.cancels[f.result.Node]()
	delete(s.cancels, f.result.Node)
	if f.err != nil && s.broken == nil {
		s.broken = f.err
	}
	if f.result.Status.Opens() {
		s.outputs[f.result.Node] = s.outputsOf(f)
	}
	s.held = append(s.held, f)
	s.release()
	if awaited := s.awaited(f.result.Node); awaited != "" {
		s.rec.event(Event{Type: EventHold, Node: f.result.Node, Text: "for the end of " + awaited})
	}
}

// outputsOf are those of the result, or else those that the node published: one
// whose failure is waived has outputs only if it did.
func (s *scheduler) outputsOf(f finished) []evidence.Output {
	if f.outputs == nil {
		return s.outputs[f.result.Node]
	}
	return f.outputs
}

// settle takes in the result of a node.
func (s *scheduler) settle(r Result) {
	s.results[r.Node] = r
	if r.Status == Failed && s.failed == "" {
		s.failed = r.Node
	}
	if !r.Status.Opens() {
		s.cancelAhead()
	}
	s.rec.event(Event{Type: EventFinish, Node: r.Node, Result: &r})
}

// startReady starts nodes, the most urgent first, until no slot is free or none
// is ready, and settles those that cannot run any more.
func (s *scheduler) startReady(ctx context.Context) {
	for again := true; again; {
		again = false
		for _, n := range s.order {
			if s.started[n.Name] {
				continue
			}
			if r, hopeless := s.hopeless(ctx, n); hopeless {
				s.started[n.Name] = true
				s.settle(r)
				s.release()
				again = true
				continue
			}
			if s.ready(n) && s.room(n) {
				s.start(ctx, n)
			}
		}
	}
}

// ready reports whether a node can begin: all before it have ended or published
// their outputs.
func (s *scheduler) ready(n *Node) bool {
	for _, dep := range n.dependencies() {
		_, ended := s.results[dep]
		if _, published := s.outputs[dep]; !ended && !published {
			return false
		}
	}
	return true
}

// hopeless tells whether a node that has not begun will never begin, and with
// what result.
func (s *scheduler) hopeless(ctx context.Context, n *Node) (Result, bool) {
	r := Result{Node: n.Name, Service: n.Service, Kind: n.Kind, Started: s.e.now()}
	if ctx.Err() != nil {
		r.Status, r.Message = Cancelled, "not begun"
		return r, true
	}
	if dep, status := s.obstacle(n); dep != "" {
		r.Status, r.Message = Skipped, fmt.Sprintf("because %s is %s", dep, status)
		if slices.Contains(n.Needs, dep) && s.e.may(n.Name) && !s.e.may(dep) {
			r.Status, r.Message = Untested, fmt.Sprintf("input missing: the outputs of %s; `pipeline run %s` without --only makes them, a job of CI gets them as the artifact of the one before", dep, n.Kind)
		}
		return r, true
	}
	if s.failed != "" && !s.e.KeepGoing {
		r.Status, r.Message = Skipped, fmt.Sprintf("because %s failed", s.failed)
		return r, true
	}
	return r, false
}

// blocks reports whether a stage with this status stops those that only come
// after it: one that could not be tested does not.
func blocks(s Status) bool { return s == Failed || s == Skipped || s == Cancelled }

func (s *scheduler) start(ctx context.Context, n *Node) {
	s.started[n.Name] = true
	s.running++
	if n.Background {
		s.background++
	}
	needs := map[string][]evidence.Output{}
	for _, dep := range n.Needs {
		needs[dep] = s.outputs[dep]
	}
	w := &worker{
		e: s.e, dir: s.dir, rec: s.rec, decider: s.decider, grounded: s.grounded[n.Name], node: n, needs: needs,
		publish: func(o []evidence.Output) { s.published <- publication{n.Name, o} },
	}
	ctx, s.cancels[n.Name] = context.WithCancel(ctx)
	go func() { s.done <- w.work(ctx) }()
}

// status sums the results up.
func (s *scheduler) status(ctx context.Context) Status {
	if ctx.Err() != nil {
		return Cancelled
	}
	worst := Passed
	if s.broken != nil {
		worst = Untested
	}
	for _, r := range s.results {
		switch {
		case r.Status == Failed:
			return Failed
		case !r.Status.Opens():
			worst = Untested
		}
	}
	return worst
}

// mkdirs makes empty folders.
func mkdirs(dirs ...string) error {
	for _, d := range dirs {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	return nil
}
