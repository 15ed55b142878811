package kindtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Leased is a lease as the cluster shows it.
type Leased struct {
	Namespace   string    `json:"namespace"`
	Run         string    `json:"run"`
	Owner       string    `json:"owner"`
	Created     time.Time `json:"created"`
	Expires     time.Time `json:"expires"`
	Terminating bool      `json:"terminating"`
	// Stale says why Sweep would delete it; empty when it would not.
	Stale string `json:"stale,omitempty"`
}

// Leases lists all leases on the cluster, of whomever, sorted by name.
func (c *Cluster) Leases(ctx context.Context) ([]Leased, error) {
	list, err := c.leaseNamespaces(ctx)
	if err != nil {
		return nil, err
	}
	var out []Leased
	for i := range list {
		ns := &list[i]
		expires, _ := time.Parse(time.RFC3339, ns.Annotations[ExpiresAnnotation])
		out = append(out, Leased{
			Namespace: ns.Name, Run: ns.Labels[RunLabel], Owner: ns.Annotations[OwnerAnnotation],
			Created: ns.CreationTimestamp.UTC(), Expires: expires,
			Terminating: ns.DeletionTimestamp != nil, Stale: staleLease(ns, time.Now(), deadHere(ctx)),
		})
	}
	return out, nil
}

// Sweep deletes the leases that have expired and those whose owner lived on
// this host and is dead, and returns their namespaces. A live lease of another
// process is never touched. It does not wait until they are gone.
func (c *Cluster) Sweep(ctx context.Context) ([]string, error) {
	list, err := c.leaseNamespaces(ctx)
	if err != nil {
		return nil, err
	}
	var swept []string
	var errs []error
	for i := range list {
		ns := &list[i]
		if staleLease(ns, time.Now(), deadHere(ctx)) == "" {
			continue
		}
		if err := c.deleteNamespace(ctx, ns.Name, ns.UID); err != nil {
			errs = append(errs, err)
			continue
		}
		swept = append(swept, ns.Name)
	}
	return swept, errors.Join(errs...)
}

func (c *Cluster) leaseNamespaces(ctx context.Context) ([]corev1.Namespace, error) {
	list, err := c.client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: ManagedLabel + "=" + Manager})
	if err != nil {
		return nil, c.apiError("list namespaces", err)
	}
	slices.SortFunc(list.Items, func(a, b corev1.Namespace) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return list.Items, nil
}

func deadHere(ctx context.Context) func(Owner) bool {
	here := hostID()
	return func(o Owner) bool { return o.dead(ctx, here) }
}

// staleLease says why the namespace may be deleted, or nothing. When in doubt
// it is left alone: a lease without a readable expiry is somebody's mistake and
// no reason to delete his work.
func staleLease(ns *corev1.Namespace, now time.Time, dead func(Owner) bool) string {
	if ns.Labels[ManagedLabel] != Manager || ns.DeletionTimestamp != nil {
		return ""
	}
	expires, err := time.Parse(time.RFC3339, ns.Annotations[ExpiresAnnotation])
	if err != nil {
		return ""
	}
	if !now.Before(expires) {
		return "expired at " + expires.UTC().Format(time.RFC3339)
	}
	if o, ok := parseOwner(ns.Annotations[OwnerAnnotation]); ok && dead(o) {
		return fmt.Sprintf("its owner, process %d of this host, is dead", o.Pid)
	}
	return ""
}
