package kindtest

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ReadyOptions are the limits of patience. The zero value is usable.
type ReadyOptions struct {
	// Timeout ends the wait; 2 minutes if zero.
	Timeout time.Duration
	// Restarts is after how many restarts a crash loop is hopeless; 3 if
	// zero, which a container that ends at once reaches after about 30 s.
	Restarts int32
	// MaxGrace bounds how long is waited for other objects to solve a problem
	// that looks hopeless: the Secret, the quota or the registry that still has
	// to come. If zero, 10 to 20 seconds, depending on the problem.
	MaxGrace time.Duration
	// Progress, if set, is told in one line what is waited for whenever that
	// changes. It is called from one goroutine.
	Progress func(string)
}

// NotReadyError tells that a namespace is not ready, or will never be.
type NotReadyError struct {
	Diagnosis Diagnosis
	// Hopeless is true when waiting longer would not have helped.
	Hopeless bool
	// After is how long was waited.
	After time.Duration
	// Err is the cause when the context ended; nil otherwise.
	Err error
}

// Error is one line; Diagnosis.String has the rest.
func (e *NotReadyError) Error() string {
	verdict := "not ready after " + e.After.Round(100*time.Millisecond).String()
	if e.Hopeless {
		verdict = "will not become ready"
	}
	return fmt.Sprintf("namespace %s %s: %s", e.Diagnosis.Namespace, verdict, e.Diagnosis.Cause())
}

func (e *NotReadyError) Unwrap() error { return e.Err }

// WaitReady waits until all Deployments, StatefulSets and DaemonSets in the
// lease are rolled out, all Jobs are complete and all other pods are ready or
// have succeeded. It watches, so it returns at once when the last one is; and it
// gives up early when something cannot become ready by waiting. Failures are of
// type *NotReadyError. An empty namespace is ready.
func (l *Lease) WaitReady(ctx context.Context, o ReadyOptions) error {
	return l.waitReady(ctx, o, nil)
}

// waitReady waits for the expected workloads alone, for all when it is nil.
func (l *Lease) waitReady(ctx context.Context, o ReadyOptions, only *expected) error {
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.Restarts == 0 {
		o.Restarts = 3
	}
	begin := time.Now()
	watching, stop := context.WithTimeout(ctx, o.Timeout)
	m, err := l.mirrorNamespace(watching)
	if err != nil {
		stop()
		return l.cluster.apiError("watch namespace "+l.Namespace, err)
	}
	defer m.wait()
	defer stop()
	w := &readyWait{lease: l, mirror: m, options: o, only: only, since: make(map[string]time.Time)}
	hopeless, err := w.run(watching)
	if err == nil && !hopeless {
		return nil
	}
	return w.explain(ctx, &NotReadyError{Hopeless: hopeless, After: time.Since(begin), Err: ctx.Err()}, err)
}

type readyWait struct {
	lease   *Lease
	mirror  *mirror
	options ReadyOptions
	only    *expected
	since   map[string]time.Time // when each hopeless problem was first seen
	last    string               // what Progress was told
}

// run returns nil when all is ready or when that is hopeless.
func (w *readyWait) run(ctx context.Context) (hopeless bool, err error) {
	for {
		d := w.only.complete(Diagnose(w.look()))
		if len(d.Problems) == 0 {
			return false, nil
		}
		w.progress(d)
		w.options.shorten(d)
		found, next := d.hopeless(time.Now(), w.since)
		if found != nil {
			return true, nil
		}
		if err := w.change(ctx, next); err != nil {
			return false, err
		}
	}
}

// look copies what is waited for from the mirror.
func (w *readyWait) look() *Snapshot {
	return w.only.pick(w.lease.snapshot(w.mirror, w.options.Restarts))
}

// shorten applies MaxGrace.
func (o ReadyOptions) shorten(d Diagnosis) {
	if o.MaxGrace == 0 {
		return
	}
	for i := range d.Problems {
		d.Problems[i].Grace = min(d.Problems[i].Grace, o.MaxGrace)
	}
}

// change waits for something to look at again: a change, or the end of a grace
// period.
func (w *readyWait) change(ctx context.Context, grace time.Duration) error {
	var timer <-chan time.Time
	if grace > 0 {
		t := time.NewTimer(grace)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-w.mirror.changed:
		return nil
	case <-timer:
		return nil
	case err := <-w.mirror.refused:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (w *readyWait) progress(d Diagnosis) {
	line := fmt.Sprintf("%d of %d ready, waiting for %s", d.Ready, d.Workloads, d.Cause())
	if w.options.Progress != nil && line != w.last {
		w.options.Progress(line)
	}
	w.last = line
}

// explain completes e with a diagnosis. Being cancelled is no reason to leave
// the logs out, but a reason to hurry.
func (w *readyWait) explain(ctx context.Context, e *NotReadyError, cause error) error {
	if cause != nil && !errors.Is(cause, context.DeadlineExceeded) && ctx.Err() == nil {
		return w.lease.cluster.apiError("watch namespace "+w.lease.Namespace, cause)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	s := w.look()
	w.lease.fetchLogs(ctx, s)
	e.Diagnosis = w.only.complete(Diagnose(s))
	return e
}
