package kindtest

import (
	"context"
	"time"

	"helm.sh/helm/v3/pkg/kube"
	"k8s.io/apimachinery/pkg/api/meta"
)

// readyClient is Helm's client, which waits as WaitReady does: it watches, it
// gives up early and it says why. Helm hands no context to its client.
type readyClient struct {
	*kube.Client
	ctx   context.Context
	lease *Lease
	ready ReadyOptions
}

// Update implements kube.Interface. Helm itself takes back what was edited by hand
// of Kubernetes' own kinds only; this does it of all kinds.
func (c *readyClient) Update(original, target kube.ResourceList, force bool) (*kube.Result, error) {
	return c.Client.UpdateThreeWayMerge(original, target, force)
}

// Wait implements kube.Interface.
func (c *readyClient) Wait(resources kube.ResourceList, _ time.Duration) error {
	only := &expected{}
	for _, r := range resources {
		object, err := meta.Accessor(r.Object)
		if err != nil {
			return err
		}
		only.expect(r.Mapping.GroupVersionKind.Kind, object)
	}
	if len(only.generations) == 0 {
		return context.Cause(c.ctx)
	}
	return c.lease.waitReady(c.ctx, c.ready, only)
}

// WaitWithJobs implements kube.Interface: Wait knows Jobs as well.
func (c *readyClient) WaitWithJobs(resources kube.ResourceList, timeout time.Duration) error {
	return c.Wait(resources, timeout)
}

// WatchUntilReady implements kube.Interface: it waits for a hook, and no longer
// than its caller wants.
func (c *readyClient) WatchUntilReady(resources kube.ResourceList, timeout time.Duration) error {
	done := make(chan error, 1)
	go func() { done <- c.Client.WatchUntilReady(resources, timeout) }()
	select {
	case err := <-done:
		return err
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
}
