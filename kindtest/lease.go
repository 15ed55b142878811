package kindtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

// Marks on the namespaces of leases. Nothing without ManagedLabel=Manager is
// ever deleted.
const (
	ManagedLabel      = "app.kubernetes.io/managed-by"
	Manager           = "pipeline"
	RunLabel          = "pipeline.selfcontained/run"
	OwnerAnnotation   = "pipeline.selfcontained/owner"
	ExpiresAnnotation = "pipeline.selfcontained/expires"
)

// DefaultTTL is how long a lease lasts that does not say.
const DefaultTTL = 2 * time.Hour

// LeaseOptions say whose a lease is. The zero value is usable.
type LeaseOptions struct {
	Prefix string            // of the namespace's name; "pipeline" if empty
	RunID  string            // value of RunLabel; must be a valid label value
	Owner  Owner             // this process if zero
	TTL    time.Duration     // until Sweep may take it; DefaultTTL if zero
	Labels map[string]string // more labels, for example for pod security
}

// Lease is a namespace that belongs to one run. Its methods may be used
// concurrently.
type Lease struct {
	// Namespace is the name of the namespace, Prefix and a random part.
	Namespace string
	// Expires is when Sweep may delete the namespace, in UTC.
	Expires time.Time

	cluster *Cluster
	uid     types.UID
}

// Cluster returns the cluster that the lease is on.
func (l *Lease) Cluster() *Cluster { return l.cluster }

// Lease creates a namespace. It returns when pods can be created in it. Whoever
// may not create namespaces gets a *PermissionError.
func (c *Cluster) Lease(ctx context.Context, o LeaseOptions) (*Lease, error) {
	ns, err := leaseNamespace(ctx, o)
	if err != nil {
		return nil, err
	}
	created, err := c.client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{FieldManager: Manager})
	if err != nil {
		return nil, c.apiError("create namespace "+ns.Name, err)
	}
	expires, _ := time.Parse(time.RFC3339, created.Annotations[ExpiresAnnotation])
	l := &Lease{Namespace: created.Name, Expires: expires, cluster: c, uid: created.UID}
	if err := l.awaitUsable(ctx); err != nil {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return nil, errors.Join(err, l.Release(cleanup))
	}
	return l, nil
}

func leaseNamespace(ctx context.Context, o LeaseOptions) (*corev1.Namespace, error) {
	if o.Prefix == "" {
		o.Prefix = Manager
	}
	if o.TTL == 0 {
		o.TTL = DefaultTTL
	}
	if o.Owner == (Owner{}) {
		var err error
		if o.Owner, err = CurrentOwner(ctx); err != nil {
			return nil, err
		}
	}
	random := make([]byte, 5)
	_, _ = rand.Read(random) // never fails, see crypto/rand
	labels := maps.Clone(o.Labels)
	if labels == nil {
		labels = make(map[string]string)
	}
	labels[ManagedLabel], labels[RunLabel] = Manager, o.RunID
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   o.Prefix + "-" + hex.EncodeToString(random),
		Labels: labels,
		Annotations: map[string]string{
			OwnerAnnotation:   o.Owner.String(),
			ExpiresAnnotation: time.Now().Add(o.TTL).UTC().Format(time.RFC3339),
		},
	}}, nil
}

// awaitUsable waits for the two things that controllers put into a new
// namespace. Without the service account a pod is refused, and without the root
// certificate its first mount fails and is tried again only seconds later.
func (l *Lease) awaitUsable(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, errors.New("the cluster's controllers did not prepare it within 30 s"))
	defer cancel()
	core := l.cluster.client.CoreV1().RESTClient()
	for _, w := range []struct{ resource, name string }{{"serviceaccounts", "default"}, {"configmaps", "kube-root-ca.crt"}} {
		lw := cache.NewListWatchFromClient(core, w.resource, l.Namespace, fields.OneTermEqualSelector("metadata.name", w.name))
		err := awaitObject(ctx, lw, func(e watch.Event) bool { return e.Type == watch.Added })
		if err != nil && !apierrors.IsForbidden(err) { // who may not look need not wait
			return fmt.Errorf("namespace %s: wait for %s %s: %w", l.Namespace, w.resource, w.name, err)
		}
	}
	return nil
}

// awaitObject watches from the beginning (existing objects come as Added)
// until an event fits.
func awaitObject(ctx context.Context, lw *cache.ListWatch, fits func(watch.Event) bool) error {
	w, err := lw.WatchWithContext(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	_, err = watchtools.UntilWithoutRetry(ctx, w, func(e watch.Event) (bool, error) {
		if e.Type == watch.Error {
			return false, apierrors.FromObject(e.Object)
		}
		return fits(e), nil
	})
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// Release gives the namespace back: it is marked for deletion when Release
// returns, and everything in it is being deleted. See WaitGone. Releasing twice
// is no error.
func (l *Lease) Release(ctx context.Context) error {
	return l.cluster.deleteNamespace(ctx, l.Namespace, l.uid)
}

// WaitGone waits until the namespace and all that was in it are deleted.
func (l *Lease) WaitGone(ctx context.Context) error {
	lw := cache.NewListWatchFromClient(l.cluster.client.CoreV1().RESTClient(), "namespaces", "", fields.OneTermEqualSelector("metadata.name", l.Namespace))
	ns, err := l.cluster.client.CoreV1().Namespaces().Get(ctx, l.Namespace, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && ns.UID != l.uid {
		return nil
	}
	if err == nil {
		w, werr := lw.WatchWithContext(ctx, metav1.ListOptions{ResourceVersion: ns.ResourceVersion})
		if err = werr; err == nil {
			_, err = watchtools.UntilWithoutRetry(ctx, w, func(e watch.Event) (bool, error) { return e.Type == watch.Deleted, nil })
		}
	}
	if err != nil {
		return fmt.Errorf("wait until namespace %s is gone: %w", l.Namespace, err)
	}
	return nil
}

// deleteNamespace deletes the namespace if it is a lease and still the one with
// this uid, and looks that the deletion has begun.
func (c *Cluster) deleteNamespace(ctx context.Context, name string, uid types.UID) error {
	api := c.client.CoreV1().Namespaces()
	ns, err := api.Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return c.apiError("delete namespace "+name, err)
	case ns.UID != uid || ns.DeletionTimestamp != nil:
		return nil
	case ns.Labels[ManagedLabel] != Manager:
		return fmt.Errorf("namespace %s has lost its label %s=%s; it is not deleted: look at it and delete it by hand", name, ManagedLabel, Manager)
	}
	err = api.Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &ns.ResourceVersion}})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if apierrors.IsConflict(err) && ctx.Err() == nil {
		return c.deleteNamespace(ctx, name, uid) // it has changed meanwhile, perhaps because somebody else deletes it
	}
	if err != nil {
		return c.apiError("delete namespace "+name, err)
	}
	ns, err = api.Get(ctx, name, metav1.GetOptions{})
	if err == nil && ns.UID == uid && ns.DeletionTimestamp == nil {
		return fmt.Errorf("delete namespace %s: the cluster accepted it and did not begin", name)
	}
	return notFoundIsFine(err)
}
