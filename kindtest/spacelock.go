package kindtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	coordination "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
)

// lockName is the name of the Lease (coordination.k8s.io/v1) in each space.
const lockName = "pipeline-deploy"

// lockDuration is after how long without a renewal a lock is taken over. A
// holder renews three times in it.
const lockDuration = 15 * time.Second

// LockOptions say who wants a lock and how patient he is.
type LockOptions struct {
	By string // for people: "ann@host, job 123"
	// Wait is for how long a living holder is waited for. A holder that seems to be
	// dead is watched for the duration of the lock in any case.
	Wait time.Duration
	// Waiting is told once for each holder that is waited for.
	Waiting func(*LockedError)
}

// LockedError tells who is changing the space.
type LockedError struct {
	Namespace string
	By        string
	Since     time.Time
	Renewed   time.Time
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("namespace %s is being changed by %s since %s; wait until that has ended, then run again",
		e.Namespace, e.By, e.Since.UTC().Format(time.RFC3339))
}

// ErrLockLost is the cause when the context of a lock ends because the lock could
// not be renewed in time.
var ErrLockLost = errors.New("the lock of the namespace could not be renewed in time, another run may have taken it; run again")

// SpaceLock is held until Unlock. It is renewed in the background.
type SpaceLock struct {
	// Context ends when the lock is lost: then nothing may be changed any more.
	Context context.Context

	space  *Space
	lease  *coordination.Lease // as it was written last; owned by renew until done
	cancel context.CancelCauseFunc
	done   chan struct{}
}

// Lock waits until nobody else changes the space. A *LockedError says who does.
func (s *Space) Lock(ctx context.Context, o LockOptions) (*SpaceLock, error) {
	owner, err := CurrentOwner(ctx)
	if err != nil {
		return nil, err
	}
	a := &lockAttempt{space: s, options: o, owner: owner, deadline: time.Now().Add(o.Wait)}
	lease, err := a.acquire(ctx)
	if err != nil {
		return nil, err
	}
	l := &SpaceLock{space: s, lease: lease, done: make(chan struct{})}
	l.Context, l.cancel = context.WithCancelCause(ctx)
	go l.renew()
	return l, nil
}

type lockAttempt struct {
	space    *Space
	options  LockOptions
	owner    Owner
	deadline time.Time
	// version is that of the lease when it was first seen in its present state,
	// and since when that was: clocks of two machines are never compared to take a
	// lock from somebody.
	version string
	since   time.Time
	told    string // the holder that Waiting was told of
}

func (a *lockAttempt) acquire(ctx context.Context) (*coordination.Lease, error) {
	api := a.space.lease.cluster.client.CoordinationV1().Leases(a.space.Namespace)
	for {
		found, err := api.Get(ctx, lockName, metav1.GetOptions{})
		if err == nil && !a.free(ctx, found) {
			if err = a.wait(ctx, found); err != nil {
				return nil, err
			}
			continue
		}
		var lease *coordination.Lease
		switch {
		case apierrors.IsNotFound(err):
			lease, err = api.Create(ctx, a.mine(&coordination.Lease{}), metav1.CreateOptions{FieldManager: Manager})
		case err == nil:
			lease, err = api.Update(ctx, a.mine(found), metav1.UpdateOptions{FieldManager: Manager})
		}
		switch {
		case err == nil:
			return lease, nil
		case !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) || namespaceGone(err):
			return nil, a.space.lease.cluster.apiError("lock namespace "+a.space.Namespace, err)
		}
	}
}

// namespaceGone tells that it is not the lease that was not found.
func namespaceGone(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && apierrors.IsNotFound(err) && status.Status().Details != nil && status.Status().Details.Kind == "namespaces"
}

// mine makes the lease this process's own.
func (a *lockAttempt) mine(l *coordination.Lease) *coordination.Lease {
	now, seconds := metav1.NowMicro(), int32(lockDuration/time.Second)
	holder := a.options.By + " (" + rand.Text()[:8] + ")" // tells two runs of one person apart
	l = l.DeepCopy()
	l.Name, l.Namespace = lockName, a.space.Namespace
	l.Labels, l.Annotations = a.space.labels(), map[string]string{OwnerAnnotation: a.owner.String()}
	transitions := int32(0)
	if l.Spec.LeaseTransitions != nil {
		transitions = *l.Spec.LeaseTransitions + 1
	}
	l.Spec = coordination.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, AcquireTime: &now, RenewTime: &now, LeaseTransitions: &transitions}
	return l
}

// free reports whether a lease may be taken: it was given back, its owner is
// certainly dead, or it was not renewed while it was watched for its duration.
func (a *lockAttempt) free(ctx context.Context, l *coordination.Lease) bool {
	if l.Spec.HolderIdentity == nil || *l.Spec.HolderIdentity == "" {
		return true
	}
	if o, ok := parseOwner(l.Annotations[OwnerAnnotation]); ok && o.dead(ctx, hostID()) {
		return true
	}
	if l.ResourceVersion != a.version {
		a.version, a.since = l.ResourceVersion, time.Now()
	}
	return time.Since(a.since) >= durationOf(l)
}

func durationOf(l *coordination.Lease) time.Duration {
	if l.Spec.LeaseDurationSeconds == nil {
		return lockDuration
	}
	return time.Duration(*l.Spec.LeaseDurationSeconds) * time.Second
}

// wait returns when it is time to look at the lease again.
func (a *lockAttempt) wait(ctx context.Context, l *coordination.Lease) error {
	locked := &LockedError{Namespace: a.space.Namespace, By: *l.Spec.HolderIdentity}
	if l.Spec.AcquireTime != nil && l.Spec.RenewTime != nil {
		locked.Since, locked.Renewed = l.Spec.AcquireTime.Time, l.Spec.RenewTime.Time
	}
	expires := a.since.Add(durationOf(l))
	seemsDead := time.Since(locked.Renewed) > durationOf(l) // only makes for patience
	if left := time.Until(a.deadline); left <= 0 && !seemsDead {
		return locked
	}
	if a.options.Waiting != nil && a.told != locked.By {
		a.told = locked.By
		a.options.Waiting(locked)
	}
	if !seemsDead && a.deadline.Before(expires) {
		expires = a.deadline
	}
	return a.space.leaseChange(ctx, l, expires)
}

// leaseChange waits until the lease changes or it is time.
func (s *Space) leaseChange(ctx context.Context, l *coordination.Lease, until time.Time) error {
	w, err := s.lease.cluster.client.CoordinationV1().Leases(s.Namespace).Watch(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("metadata.name", lockName).String(), ResourceVersion: l.ResourceVersion,
	})
	if err != nil {
		return s.lease.cluster.apiError("watch the lock of namespace "+s.Namespace, err)
	}
	defer w.Stop()
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-w.ResultChan():
		return nil
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// renew ends with the lock's context, which it ends itself when it does not
// succeed for the greater part of the lock's duration.
func (l *SpaceLock) renew() {
	defer close(l.done)
	tick := time.NewTicker(lockDuration / 3)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-l.Context.Done():
			return
		case <-tick.C:
		}
		begin := time.Now()
		lost, err := l.renewOnce(lockDuration / 3)
		if err == nil {
			last = begin
		}
		if lost || time.Since(last) > lockDuration*2/3 {
			l.cancel(ErrLockLost)
			return
		}
	}
}

// renewOnce reports as lost what another one holds.
func (l *SpaceLock) renewOnce(timeout time.Duration) (lost bool, err error) {
	ctx, cancel := context.WithTimeout(l.Context, timeout)
	defer cancel()
	now, next := metav1.NowMicro(), l.lease.DeepCopy()
	next.Spec.RenewTime = &now
	written, err := l.write(ctx, next)
	if err == nil {
		l.lease = written
	}
	return apierrors.IsConflict(err) || apierrors.IsNotFound(err), err
}

// write updates the lease if it is as this lock wrote it last. When somebody
// edited something else of it, it is tried once more.
func (l *SpaceLock) write(ctx context.Context, next *coordination.Lease) (*coordination.Lease, error) {
	api := l.space.lease.cluster.client.CoordinationV1().Leases(l.space.Namespace)
	written, err := api.Update(ctx, next, metav1.UpdateOptions{FieldManager: Manager})
	if !apierrors.IsConflict(err) {
		return written, err
	}
	found, getErr := api.Get(ctx, lockName, metav1.GetOptions{})
	if getErr != nil || found.Spec.HolderIdentity == nil || *found.Spec.HolderIdentity != *l.lease.Spec.HolderIdentity {
		return nil, err
	}
	found.Spec = next.Spec
	return api.Update(ctx, found, metav1.UpdateOptions{FieldManager: Manager})
}

// Unlock lets others go on. The context of the lock has ended when it returns.
// A lock that was lost is no error.
func (l *SpaceLock) Unlock(ctx context.Context) error {
	l.cancel(context.Canceled)
	<-l.done
	next := l.lease.DeepCopy()
	next.Spec.HolderIdentity = nil
	_, err := l.write(ctx, next)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return l.space.lease.cluster.apiError("unlock namespace "+l.space.Namespace, err)
	}
	return nil
}
