package kindtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	systemNamespace = "kube-system"
	dnsName         = "coredns"
	proxyName       = "kube-proxy"
	// readyzInterval is the pause between two looks at an API server that does
	// not answer yet: there is nothing to watch before it does.
	readyzInterval = 100 * time.Millisecond
)

// WaitSystem waits until the cluster can be used: the API server is ready, a
// node is Ready, and cluster DNS and the service proxy run as kubeadm installs
// them. A node's Ready comes seconds before the latter two, and a request
// through a Service fails until then.
func (c *Cluster) WaitSystem(ctx context.Context) error {
	return c.WaitSystemSince(ctx, time.Time{})
}

// WaitSystemSince is WaitSystem for a cluster whose nodes were started at the
// given time. For some seconds after a restart the API still tells what was
// true before it, so the system's containers must have been started since.
//
// Even then the controllers may first have to notice that the containers were
// gone; the system counts as up again when it has stayed so for a while.
func (c *Cluster) WaitSystemSince(ctx context.Context, since time.Time) error {
	for {
		if err := c.waitSystem(ctx, since); err != nil {
			return err
		}
		if since.IsZero() || c.staysUp(ctx) {
			return context.Cause(ctx)
		}
	}
}

// settled is how long a restarted system must have stayed up.
const settled = time.Second

// staysUp reports whether the system is up without a break until it counts as
// settled.
func (c *Cluster) staysUp(ctx context.Context) bool {
	until := time.Now().Add(settled)
	err := wait.PollUntilContextCancel(ctx, readyzInterval, true, func(ctx context.Context) (bool, error) {
		return time.Now().After(until), c.CheckSystem(ctx)
	})
	return err == nil
}

func (c *Cluster) waitSystem(ctx context.Context, since time.Time) error {
	state := systemState{since: since.Truncate(time.Second)} // as the API does
	err := wait.PollUntilContextCancel(ctx, readyzInterval, true, func(ctx context.Context) (bool, error) {
		state.readyz = c.readyz(ctx)
		return state.readyz == nil, nil
	})
	if err == nil {
		err = c.watchSystem(ctx, &state)
	}
	if err != nil {
		return fmt.Errorf("cluster %s is not ready: %s: %w", c.Name, state.missing(), err)
	}
	return nil
}

func (c *Cluster) watchSystem(ctx context.Context, state *systemState) error {
	ctx, cancel := context.WithCancel(ctx)
	apps, core := c.client.AppsV1().RESTClient(), c.client.CoreV1().RESTClient()
	m, err := newMirror(ctx, []watched{
		{client: core, resource: "nodes", object: &corev1.Node{}},
		{client: apps, resource: "deployments", namespace: systemNamespace, object: &appsv1.Deployment{}},
		{client: apps, resource: "daemonsets", namespace: systemNamespace, object: &appsv1.DaemonSet{}},
		{client: core, resource: "pods", namespace: systemNamespace, object: &corev1.Pod{}},
	})
	if err != nil {
		cancel()
		return err
	}
	defer m.wait()
	defer cancel()
	return m.await(ctx, func() (bool, error) {
		*state = systemState{since: state.since, nodes: objects[*corev1.Node](m, "nodes"), pods: objects[*corev1.Pod](m, "pods")}
		state.deployments(objects[*appsv1.Deployment](m, "deployments"))
		state.daemonSets(objects[*appsv1.DaemonSet](m, "daemonsets"))
		return state.missing() == "", nil
	})
}

// CheckSystem looks once and says what is missing for WaitSystem to return. It
// takes a few milliseconds when all is well.
func (c *Cluster) CheckSystem(ctx context.Context) error {
	if err := c.CheckAPI(ctx); err != nil {
		return err
	}
	var state systemState
	nodes, err := c.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range nodes.Items {
		state.nodes = append(state.nodes, &nodes.Items[i])
	}
	dns, err1 := c.client.AppsV1().Deployments(systemNamespace).Get(ctx, dnsName, metav1.GetOptions{})
	proxy, err2 := c.client.AppsV1().DaemonSets(systemNamespace).Get(ctx, proxyName, metav1.GetOptions{})
	if err := errors.Join(notFoundIsFine(err1), notFoundIsFine(err2)); err != nil {
		return err
	}
	state.deployments([]*appsv1.Deployment{dns})
	state.daemonSets([]*appsv1.DaemonSet{proxy})
	if missing := state.missing(); missing != "" {
		return fmt.Errorf("cluster %s is not ready: %s", c.Name, missing)
	}
	return nil
}

// CheckAPI asks the API server alone whether it is ready. That is all one can
// ask of a cluster that is put together in another way than kubeadm's.
func (c *Cluster) CheckAPI(ctx context.Context) error {
	if err := c.readyz(ctx); err != nil {
		return fmt.Errorf("cluster %s is not ready: %w", c.Name, err)
	}
	return nil
}

func (c *Cluster) readyz(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return c.client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

// systemState is what WaitSystem waits for.
type systemState struct {
	since      time.Time
	readyz     error
	nodes      []*corev1.Node
	pods       []*corev1.Pod // of the system namespace; only looked at for since
	dns, proxy bool
}

func (s *systemState) deployments(list []*appsv1.Deployment) {
	for _, d := range list {
		if d != nil && d.Name == dnsName && d.Status.ObservedGeneration >= d.Generation && d.Status.AvailableReplicas > 0 {
			s.dns = true
		}
	}
}

func (s *systemState) daemonSets(list []*appsv1.DaemonSet) {
	for _, d := range list {
		if d != nil && d.Name == proxyName && d.Status.DesiredNumberScheduled > 0 && d.Status.NumberReady >= d.Status.DesiredNumberScheduled {
			s.proxy = true
		}
	}
}

// missing names what is not there yet, or nothing.
func (s *systemState) missing() string {
	if s.readyz != nil {
		return "its API server does not say that it is ready (" + s.readyz.Error() + ")"
	}
	var out []string
	if len(s.nodes) == 0 {
		out = append(out, "it has no node")
	}
	for _, n := range s.nodes {
		if reason := nodeNotReady(n); reason != "" {
			out = append(out, fmt.Sprintf("node %s is not ready (%s)", n.Name, reason))
		}
	}
	if !s.dns {
		out = append(out, "cluster DNS (deployment kube-system/coredns) is not available")
	}
	if !s.proxy {
		out = append(out, "the service proxy (daemon set kube-system/kube-proxy) is not ready")
	}
	for _, p := range s.pods {
		if app := p.Labels["k8s-app"]; (app == "kube-dns" || app == proxyName) && !backSince(p, s.since, time.Now()) {
			out = append(out, "pod kube-system/"+p.Name+" has not come back after the restart")
		}
	}
	return strings.Join(out, "; ")
}

// staleReady is how long after the start of its containers a pod may be called
// Ready from before: the kubelet has noticed by then.
const staleReady = 20 * time.Second

// backSince reports whether a pod has come back after a restart: its containers
// were started since, and it became ready after that.
func backSince(p *corev1.Pod, since, now time.Time) bool {
	if since.IsZero() {
		return true
	}
	var started time.Time
	for _, c := range p.Status.ContainerStatuses {
		r := c.State.Running
		if r == nil || r.StartedAt.Time.Before(since) {
			return false
		}
		if r.StartedAt.After(started) {
			started = r.StartedAt.Time
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			fresh := !c.LastTransitionTime.Time.Before(started) || now.Sub(started) > staleReady
			return c.Status == corev1.ConditionTrue && fresh
		}
	}
	return false
}

func nodeNotReady(n *corev1.Node) string {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			if c.Status == corev1.ConditionTrue {
				return ""
			}
			return firstLine(c.Message)
		}
	}
	return "it has not reported yet"
}

func notFoundIsFine(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
