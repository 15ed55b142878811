package deploy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/release"
)

// Prepare says what Apply would do and whether something stands in the way,
// without changing anything: charts that cannot be rendered or do not run the
// image of their bundle, secrets that are missing (*MissingSecretsError), an older
// sequence (*OlderError), a namespace of somebody else (*kindtest.ForeignError).
func Prepare(ctx context.Context, c *kindtest.Cluster, d Deployment, o Options) (*Plan, error) {
	r, err := newRun(c, d, o)
	if err != nil {
		return nil, err
	}
	if err := r.plan(ctx); err != nil {
		return nil, err
	}
	return r.planned, r.preflight(ctx)
}

// Apply makes the namespace run the deployment, and returns what it did. When
// nothing is to be done, nothing is written. The errors are those of Prepare, and
// *kindtest.LockedError when another run is at it, and *FailedError when a
// service did not get ready: then everything is as it was before. When the context
// ends, the deployment stays where it is, and running again completes it.
func Apply(ctx context.Context, c *kindtest.Cluster, d Deployment, o Options) (*Plan, error) {
	r, err := newRun(c, d, o)
	if err != nil {
		return nil, err
	}
	if err := r.plan(ctx); err != nil || r.planned.Nothing {
		return r.planned, err
	}
	if err := r.preflight(ctx); err != nil {
		return r.planned, err
	}
	if err := release.Apply(ctx, []release.Step{r.namespace()}, o.tell); err != nil {
		return r.planned, err
	}
	lock, err := r.space.Lock(ctx, kindtest.LockOptions{By: o.By, Wait: o.Wait, Waiting: r.waiting})
	if err != nil {
		return r.planned, err
	}
	err = r.locked(lock.Context)
	if cause := context.Cause(lock.Context); err != nil && cause != nil {
		err = fmt.Errorf("%s %s is not completely deployed to %s, running again completes it: %w", d.System, d.Version, d.Environment, cause)
	}
	free, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return r.planned, errors.Join(err, lock.Unlock(free))
}

// run is one deployment on its way.
type run struct {
	space      *kindtest.Space
	deployment *Deployment
	options    Options
	charts     map[string]kindtest.Chart
	inputs     map[string]string

	progress sync.Mutex
	store    *store
	state    *state
	planned  *Plan
	hosts    []string // the names of all services in the charts that were rendered
	secrets  []string // that they need and that are missing
}

func newRun(c *kindtest.Cluster, d Deployment, o Options) (*run, error) {
	if err := errors.Join(d.check(), d.complete()); err != nil {
		return nil, err
	}
	r := &run{space: d.space(c), deployment: &d, options: o, charts: make(map[string]kindtest.Chart), inputs: make(map[string]string)}
	for i := range d.Members {
		m := &d.Members[i]
		r.charts[m.Service] = m.chart()
		in, err := r.charts[m.Service].Inputs()
		if err != nil {
			return nil, fmt.Errorf("service %s %s: %w", m.Service, m.Version, err)
		}
		r.inputs[m.Service] = in
	}
	return r, nil
}

// plan reads the namespace and decides.
func (r *run) plan(ctx context.Context) error {
	if _, err := r.space.Labelled(ctx); err != nil { // somebody else's?
		return err
	}
	var err error
	if r.store, err = readRecord(ctx, r.space); err != nil {
		return err
	}
	if r.state, err = read(ctx, r.space, r.deployment, &r.store.record, r.inputs); err != nil {
		return err
	}
	r.planned, err = decide(r.deployment, r.inputs, r.state, r.options.Older)
	return err
}

// read reads the state. Only what might be kept is compared object by object.
func read(ctx context.Context, space *kindtest.Space, d *Deployment, record *Record, inputs map[string]string) (*state, error) {
	s := &state{record: *record}
	var err error
	if s.releases, err = space.Releases(ctx); err != nil {
		return nil, err
	}
	var steady []kindtest.Release
	for _, r := range s.releases {
		if in, ok := inputs[r.Name]; ok && r.Steady() && d.ours(&r) && r.Inputs == in {
			steady = append(steady, r)
		}
	}
	if len(steady) > 0 {
		s.drift, err = space.Drift(ctx, steady, nil)
	}
	return s, err
}

func (r *run) waiting(e *kindtest.LockedError) {
	r.say("waiting for " + e.By + ", who is changing namespace " + e.Namespace)
}

// say tells Progress; services of one wave do so at the same time.
func (r *run) say(text string) {
	r.progress.Lock()
	defer r.progress.Unlock()
	if r.options.Progress != nil {
		r.options.Progress(text)
	}
}

func (r *run) ready(what string) kindtest.ReadyOptions {
	return kindtest.ReadyOptions{Timeout: r.options.Ready, Progress: func(text string) { r.say(what + ": " + text) }}
}

// locked does everything that is done under the lock. What was read before may
// have changed while it was waited for.
func (r *run) locked(ctx context.Context) error {
	if err := r.plan(ctx); err != nil || r.planned.Nothing {
		return err
	}
	if err := r.begin(ctx); err != nil {
		return err
	}
	err := release.Apply(ctx, r.changes(), r.options.tell)
	if err != nil && ctx.Err() != nil {
		return err
	}
	if err != nil {
		return r.rollback(ctx, err)
	}
	return release.Apply(ctx, r.ends(), r.options.tell)
}

// begin writes down that a deployment is going on, and to what it goes back. That
// is always the last complete deployment, also for a run after one that died.
func (r *run) begin(ctx context.Context) error {
	before := make(map[string]int)
	for i := range r.state.releases {
		if release := &r.state.releases[i]; r.deployment.ours(release) {
			before[release.Name] = release.Deployed
		}
	}
	for _, m := range r.deployment.Members {
		if _, ok := before[m.Service]; !ok {
			before[m.Service] = 0
		}
	}
	record, d := &r.store.record, r.deployment
	if record.Deploying != nil {
		maps.Copy(before, record.Deploying.Before)
	}
	record.Deploying = &Attempt{Version: d.Version, ID: d.ID, Sequence: d.Sequence, Before: before, By: r.options.By, Since: now()}
	return r.store.write(ctx)
}

// FailedError tells that a deployment did not succeed. Unwrap leads to the cause:
// a *kindtest.NotReadyError has the diagnosis.
type FailedError struct {
	System, Environment, Version string
	Err                          error
	// Back are the services that were brought back, and Stuck is why others were
	// not; nil when all were.
	Back  []string
	Stuck error
}

func (e *FailedError) Error() string {
	text := fmt.Sprintf("%s %s was not deployed to %s: %v", e.System, e.Version, e.Environment, e.Err)
	switch {
	case e.Stuck != nil:
		text += fmt.Sprintf("; and the way back failed: %v; run again, or promote another combination", e.Stuck)
	case len(e.Back) > 0:
		text += "; everything is as it was before: " + strings.Join(e.Back, ", ")
	}
	return text
}

func (e *FailedError) Unwrap() []error {
	if e.Stuck == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Stuck}
}

// rollback brings all services back to the revisions of the last complete
// deployment, in the opposite order.
func (r *run) rollback(ctx context.Context, cause error) error {
	record, d := &r.store.record, r.deployment
	failed := &FailedError{System: d.System, Environment: d.Environment, Version: d.Version, Err: cause}
	var order []string
	for _, wave := range slices.Backward(d.waves()) {
		for _, m := range wave {
			order = append(order, m.Service)
		}
	}
	for _, service := range slices.Sorted(maps.Keys(record.Deploying.Before)) {
		if d.member(service) == nil {
			order = append(order, service)
		}
	}
	var stuck []error
	for _, service := range order {
		step := release.Step{Name: "rollback", What: "bring " + service + " back"}
		changed, err := r.bringBack(ctx, service, record.Deploying.Before[service], func() { r.options.tell(step, false) })
		switch {
		case err != nil:
			stuck = append(stuck, fmt.Errorf("%s: %w", service, err))
		case changed:
			failed.Back = append(failed.Back, service)
			r.options.tell(step, true)
		}
	}
	failed.Stuck = errors.Join(stuck...)
	record.Failed = &Failure{Version: d.Version, ID: d.ID, Sequence: d.Sequence, Why: cause.Error(), At: now()}
	if failed.Stuck == nil {
		record.Deploying = nil
	}
	if err := r.store.write(ctx); err != nil {
		failed.Stuck = errors.Join(failed.Stuck, err)
	}
	return failed
}

// bringBack brings one service back to a revision; 0 is none.
func (r *run) bringBack(ctx context.Context, service string, revision int, begin func()) (changed bool, err error) {
	there, err := r.space.Release(ctx, service)
	switch {
	case err != nil:
		return false, err
	case there == nil && revision == 0, there != nil && there.Revision == revision && there.Steady():
		return false, nil
	case there == nil:
		return false, fmt.Errorf("its revision %d was removed by an earlier run that died", revision)
	}
	begin()
	if revision == 0 {
		return true, r.space.Uninstall(ctx, service)
	}
	return true, r.space.Rollback(ctx, service, revision, kindtest.ReleaseOptions{Ready: r.ready(service), Locked: true})
}

// now is the time as it is written: in UTC, to the second.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }
