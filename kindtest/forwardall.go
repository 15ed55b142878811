package kindtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Forwards are local ports that lead to the Services of a lease.
type Forwards struct {
	// Addrs has "127.0.0.1:PORT" by the name of the Service.
	Addrs map[string]string
	// Without says of each other Service why nothing leads to it, sorted.
	Without []string

	open []*Forward
	end  func() // of the watch that they share
}

// ForwardAll opens a local port for the first port of each Service, all at the
// same time. A Service without a TCP port, without a selector or without a pod
// is passed over. The ports are open until Close or until ctx ends.
func (l *Lease) ForwardAll(ctx context.Context) (*Forwards, error) {
	services, err := l.cluster.client.CoreV1().Services(l.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, l.cluster.apiError("list the services of namespace "+l.Namespace, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	pods, err := l.mirrorPods(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	f := &Forwards{Addrs: map[string]string{}, end: func() { cancel(); pods.wait() }}
	return f, f.openAll(ctx, l, services.Items, pods)
}

func (f *Forwards) openAll(ctx context.Context, l *Lease, services []corev1.Service, pods *mirror) error {
	there := objects[*corev1.Pod](pods, "pods")
	var mu sync.Mutex
	var errs []error
	var all sync.WaitGroup
	for i := range services {
		svc := &services[i]
		if why := unreachable(svc, there); why != "" {
			f.Without = append(f.Without, "service "+svc.Name+" "+why)
			continue
		}
		all.Go(func() {
			open, err := l.forward(ctx, svc, strconv.Itoa(int(svc.Spec.Ports[0].Port)), pods)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			f.open = append(f.open, open)
			f.Addrs[svc.Name] = open.Addr
		})
	}
	all.Wait()
	if len(errs) == 0 {
		return nil
	}
	return errors.Join(errors.Join(errs...), f.Close())
}

// unreachable says why there is no way to a Service, or nothing. A pod that is
// there and not ready is waited for; one that has ended is none.
func unreachable(svc *corev1.Service, pods []*corev1.Pod) string {
	if len(svc.Spec.Ports) == 0 || svc.Spec.Ports[0].Protocol != corev1.ProtocolTCP {
		return "has no TCP port in the first place"
	}
	if len(svc.Spec.Selector) == 0 {
		return "has no selector"
	}
	selector := labels.SelectorFromSet(svc.Spec.Selector)
	alive := func(p *corev1.Pod) bool {
		return p.DeletionTimestamp == nil && p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed && selector.Matches(labels.Set(p.Labels))
	}
	if !slices.ContainsFunc(pods, alive) {
		return fmt.Sprintf("has no pod with the labels %s", selector)
	}
	return ""
}

// Services returns the names of the Services that are reached, sorted.
func (f *Forwards) Services() []string { return slices.Sorted(maps.Keys(f.Addrs)) }

// Close closes all ports.
func (f *Forwards) Close() error {
	var errs []error
	for _, open := range f.open {
		errs = append(errs, open.Close())
	}
	f.end()
	return errors.Join(errs...)
}
