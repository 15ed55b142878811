package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// cleanTimeout bounds the clean-up of one stage.
const cleanTimeout = 30 * time.Second

// retryPause is the time before an environment failure is tried again.
const retryPause = time.Second

// worker takes one node through its run.
type worker struct {
	e       *Engine
	dir     *runDir
	rec     *recorder
	decider *decider
	node    *Node
	needs   map[string][]evidence.Output
	// grounded is why the check before the run failed.
	grounded error
	// publish tells the scheduler of outputs that are in place early.
	publish func([]evidence.Output)
	// early are the outputs that were published, nil before.
	early []evidence.Output
}

// work decides whether the node has to run and runs it, under a lock that keeps
// other runs of the same stage away: the second one finds the verdict of the
// first.
func (w *worker) work(ctx context.Context) finished {
	started := w.e.now()
	f, err := w.locked(ctx)
	r := &f.result
	r.Node, r.Service, r.Kind, r.Started = w.node.Name, w.node.Service, w.node.Kind, started
	r.Duration = w.e.now().Sub(started)
	if err != nil {
		f.err = err
		r.Status, r.Message = Untested, err.Error()
		if ctx.Err() != nil {
			f.err, r.Status, r.Message = nil, Cancelled, "cancelled"
		}
	}
	r.Message = w.e.Masker.String(r.Message)
	r.Cause = w.e.Masker.String(r.Cause)
	return f
}

func (w *worker) locked(ctx context.Context) (finished, error) {
	dec, err := w.decide(ctx)
	if err != nil || dec.UpToDate {
		return w.upToDate(dec), err
	}
	if !w.e.may(w.node.Name) {
		return finished{result: Result{Status: Untested, LookedFor: true, Message: "not up to date: " + dec.Reason}}, nil
	}
	if w.grounded != nil {
		r := Result{Status: statusOf(w.grounded), Message: w.grounded.Error()}
		return finished{result: w.waive(r)}, nil
	}
	release, err := w.lock(ctx, dec)
	if err != nil {
		return finished{}, err
	}
	defer release()
	// Whoever had the lock may have done the work.
	if dec, err = w.decide(ctx); err != nil || dec.UpToDate {
		return w.upToDate(dec), err
	}
	w.rec.event(Event{Type: EventStart, Node: w.node.Name, Text: dec.Reason})
	return w.attempts(ctx, dec)
}

func (w *worker) decide(ctx context.Context) (Decision, error) {
	return w.decider.decide(ctx, w.node, func(node string) ([]evidence.Output, bool) { return w.needs[node], true })
}

func (w *worker) upToDate(dec Decision) finished {
	v := dec.Verdict
	if v == nil {
		return finished{}
	}
	return finished{
		result:  Result{Status: Status(v.Status), UpToDate: true, Message: v.Summary, Findings: w.decider.findings(v)},
		outputs: v.Outputs,
	}
}

// lock takes the lock of the node in this checkout and that of its key among
// all checkouts.
func (w *worker) lock(ctx context.Context, dec Decision) (release func(), err error) {
	own, err := w.waitLock(ctx, w.e.Checkout.lockFile(w.node.Name))
	if err != nil {
		return nil, err
	}
	if dec.Inputs == nil || w.e.Locks == "" {
		return own.release, nil
	}
	key, err := w.waitLock(ctx, filepath.Join(w.e.Locks, dec.Inputs.Key().Hex()))
	if err != nil {
		own.release()
		return nil, err
	}
	// There is a file for each key, and keys do not come back often.
	return func() { key.remove(); own.release() }, nil
}

// waitLock takes a lock and says whom it waits for.
func (w *worker) waitLock(ctx context.Context, name string) (*fileLock, error) {
	owner := fmt.Sprintf("run %s, process %d", w.dir.id, os.Getpid())
	return waitLock(ctx, name, owner, func(holder string) {
		w.rec.event(Event{Type: EventWait, Node: w.node.Name, Text: "for " + holder})
	})
}

// attempts runs the stage, again where the environment failed for a moment.
func (w *worker) attempts(ctx context.Context, dec Decision) (finished, error) {
	for try := 0; ; try++ {
		f, stageErr, err := w.attempt(ctx, dec)
		var notTested *NotTested
		if err != nil || ctx.Err() != nil || try >= w.node.Retries ||
			!errors.As(stageErr, &notTested) || !notTested.Transient {
			return f, err
		}
		w.rec.event(Event{Type: EventRetry, Node: w.node.Name, Text: w.e.Masker.String(stageErr.Error())})
		select {
		case <-ctx.Done():
		case <-time.After(retryPause):
		}
	}
}

// attempt runs the stage once. stageErr is what the stage returned; err is the
// engine's own trouble.
func (w *worker) attempt(ctx context.Context, dec Decision) (f finished, stageErr, err error) {
	started := w.e.now()
	job, closeLog, err := w.newJob()
	if err != nil {
		return f, nil, err
	}
	stageErr = w.runStage(ctx, job)
	f.result = w.resultOf(ctx, job, stageErr)
	f.result.Started, f.result.Duration = started, w.e.now().Sub(started)
	f.result.Left = w.clean(ctx, job)
	if err := closeLog(); err != nil && f.result.Status == Passed {
		return f, stageErr, fmt.Errorf("write the log of %s: %w", w.node.Name, err)
	}
	if s := f.result.Status; s == Passed || s == Inapplicable {
		f.outputs, err = w.keep(ctx, job, dec, &f.result)
	}
	return f, stageErr, errors.Join(err, removeAll(job.Scratch), removeAll(job.Out))
}

func (w *worker) newJob() (*Job, func() error, error) {
	n := w.node
	base := filepath.Join(w.dir.dir, filepath.FromSlash(n.Name))
	cache := filepath.Join(w.e.Checkout.dir, "cache", filepath.FromSlash(n.Name))
	outs := filepath.Dir(w.e.Checkout.Out(n.Name))
	scratch := filepath.Join(w.dir.scratch(), fileName(n.Name))
	if err := mkdirs(base, outs, cache); err != nil {
		return nil, nil, err
	}
	if err := errors.Join(removeAll(scratch), mkdirs(scratch)); err != nil {
		return nil, nil, err
	}
	temp, err := w.e.Checkout.takeTemp(w.dir, n.Name)
	if err != nil {
		return nil, nil, err
	}
	out, err := os.MkdirTemp(outs, ".new-"+w.dir.id+"-")
	if err != nil {
		return nil, nil, err
	}
	logFile, err := os.OpenFile(base+".log", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, nil, err
	}
	log := w.e.Masker.Writer(logFile)
	job := NewJob(n, w.dir.id, n.Dir, out, base, scratch, log, w.needFolders())
	job.Temp, job.Cache, job.Fresh = temp, cache, w.decider.force(n.Name)
	job.say = func(text string) {
		w.rec.event(Event{Type: EventSay, Node: n.Name, Text: w.e.Masker.String(text)})
	}
	job.publish = func() error { return w.publishFrom(job.Out) }
	return job, func() error { return errors.Join(log.Close(), logFile.Close()) }, os.Chmod(out, 0o755)
}

func (w *worker) needFolders() map[string]string {
	needs := map[string]string{}
	for _, need := range w.node.Needs {
		needs[need] = w.e.Checkout.Out(need)
		if service, kind, _ := strings.Cut(need, "/"); service == w.node.Service {
			needs[kind] = needs[need]
		}
	}
	return needs
}

// errTimeout is the cause of the end of a stage's context when its own time is
// up.
var errTimeout = errors.New("time is up")

// runStage calls the stage, within its time; a panic is a failure that shows
// its stack in the log.
func (w *worker) runStage(ctx context.Context, job *Job) (err error) {
	if w.node.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, w.node.Timeout, errTimeout)
		defer cancel()
	}
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(job.Log, "panic: %v\n%s", p, debug.Stack())
			err = fmt.Errorf("the stage panicked: %v", p)
		}
		if err != nil && errors.Is(context.Cause(ctx), errTimeout) {
			err = &Failure{Summary: fmt.Sprintf("not done after %v", w.node.Timeout), Cause: causeOf(err)}
		}
	}()
	return w.node.Stage.Run(ctx, job)
}

// causeOf returns what a stage wants to be seen first of its error.
func causeOf(err error) string {
	var failure *Failure
	if errors.As(err, &failure) && failure.Cause != "" {
		return failure.Cause
	}
	return err.Error()
}

func (w *worker) resultOf(ctx context.Context, job *Job, err error) Result {
	job.Findings.mask(w.e.Masker)
	r := Result{Status: statusOf(err), Message: job.Findings.Summary, Findings: job.Findings}
	r.Log = filepath.Join(w.dir.dir, filepath.FromSlash(w.node.Name)) + ".log"
	if err == nil {
		return r
	}
	r.Message = err.Error()
	var failure *Failure
	if errors.As(err, &failure) {
		r.Cause = failure.Cause
	}
	if ctx.Err() != nil {
		r.Status, r.Message = Cancelled, "cancelled"
		return r
	}
	return w.waive(r)
}

// waive makes a red result "waived" where the configuration allows that.
func (w *worker) waive(r Result) Result {
	v := w.node.Waive
	if v == nil || r.Status.Opens() {
		return r
	}
	if until := v.Until.Format(time.DateOnly); w.e.now().Before(v.Until) {
		r.Status = Waived
		r.Message += fmt.Sprintf(" (waived until %s: %s)", until, v.Reason)
	} else {
		r.Message += fmt.Sprintf(" (the waiver ended on %s: %s)", until, v.Reason)
	}
	return r
}

// clean lets the stage free what it took; the text says what it could not.
func (w *worker) clean(ctx context.Context, job *Job) string {
	c, ok := w.node.Stage.(Cleaner)
	if !ok {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTimeout)
	defer cancel()
	if err := c.Clean(ctx, job); err != nil {
		return w.e.Masker.String(err.Error())
	}
	return ""
}

// keep moves the outputs into place and, when the inputs are still what they
// were, remembers the verdict.
func (w *worker) keep(ctx context.Context, job *Job, dec Decision, r *Result) ([]evidence.Output, error) {
	outputs, err := w.place(job.Out)
	if err != nil {
		return nil, err
	}
	if dec.Inputs == nil {
		return outputs, nil
	}
	if w.moved(ctx, dec.Inputs.Key()) {
		r.Message += " (not remembered: its inputs changed meanwhile)"
		return outputs, nil
	}
	v, err := w.verdict(dec, r, outputs)
	if err != nil {
		return nil, err
	}
	out := w.e.Checkout.Out(w.node.Name)
	if err := w.e.Store.Put(v, out); err != nil {
		return nil, err
	}
	return outputs, evidence.WriteVerdict(out+".verdict.json", v)
}

// place moves the outputs to where those who need them read them, unless they
// are there already.
func (w *worker) place(from string) ([]evidence.Output, error) {
	if w.early != nil {
		return w.early, nil
	}
	outputs, err := evidence.ListOutputs(from)
	if err != nil {
		return nil, err
	}
	return outputs, evidence.ReplaceDir(from, w.e.Checkout.Out(w.node.Name))
}

// publishFrom places the outputs and tells the scheduler. Another attempt has
// to come to the same: others may work with what the first one made.
func (w *worker) publishFrom(from string) error {
	if w.early == nil {
		outputs, err := w.place(from)
		if err != nil {
			return err
		}
		w.early = append([]evidence.Output{}, outputs...)
		w.publish(w.early)
		return nil
	}
	outputs, err := evidence.ListOutputs(from)
	if err != nil {
		return err
	}
	if evidence.OutputsDigest(outputs) != evidence.OutputsDigest(w.early) {
		return errors.New("the outputs differ from those of the first attempt; run again")
	}
	return nil
}

func (w *worker) verdict(dec Decision, r *Result, outputs []evidence.Output) (*evidence.Verdict, error) {
	findings, err := w.e.Store.PutJSON(r.Findings)
	if err != nil {
		return nil, err
	}
	return &evidence.Verdict{
		Stage: w.node.Name, Key: dec.Inputs.Key(), Status: string(r.Status), Summary: r.Message,
		Run: w.dir.id, Started: r.Started, Duration: r.Duration,
		Inputs: dec.Inputs.List(), Tools: dec.Inputs.Tools(), Outputs: outputs, Findings: findings,
	}, nil
}

// moved reports whether the node's inputs are no longer those of the key:
// sources that were edited, or outputs of a needed stage that another run
// replaced meanwhile.
func (w *worker) moved(ctx context.Context, key evidence.Digest) bool {
	for need, outputs := range w.needs {
		out := w.e.Checkout.Out(need)
		if _, _, err := evidence.Verify(out, outputs, evidence.ReadStamps(out+".stamps.json")); err != nil {
			return true
		}
	}
	if w.e.Refresh == nil {
		return false
	}
	if w.e.Refresh(ctx) != nil {
		return true
	}
	force := *w.decider
	force.force = func(string) bool { return true } // only the inputs matter
	dec, err := force.decide(ctx, w.node, func(node string) ([]evidence.Output, bool) { return w.needs[node], true })
	return err != nil || dec.Inputs == nil || dec.Inputs.Key() != key
}
