package kindtest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// forwardTarget is a port of a Service.
type forwardTarget struct {
	lease    *Lease
	selector string
	port     intstr.IntOrString // of the pod
	pods     *mirror            // of the namespace
}

type podPort struct {
	name string
	uid  types.UID
	port int32
}

func (l *Lease) forwardTarget(svc *corev1.Service, port string, pods *mirror) (*forwardTarget, error) {
	if len(svc.Spec.Selector) == 0 {
		return nil, fmt.Errorf("service %s has no selector: there are no pods to forward to", svc.Name)
	}
	target, err := targetPort(svc, port)
	if err != nil {
		return nil, err
	}
	return &forwardTarget{lease: l, selector: labels.SelectorFromSet(svc.Spec.Selector).String(), port: target, pods: pods}, nil
}

// targetPort finds the pods' port for a Service's port.
func targetPort(svc *corev1.Service, port string) (intstr.IntOrString, error) {
	var have []string
	for _, p := range svc.Spec.Ports {
		number := strconv.Itoa(int(p.Port))
		have = append(have, strings.TrimSpace(p.Name+" "+number))
		if port != p.Name && port != number && (port != "" || len(svc.Spec.Ports) > 1) {
			continue
		}
		if p.Protocol != "" && p.Protocol != corev1.ProtocolTCP {
			return intstr.IntOrString{}, fmt.Errorf("service %s port %s is %s: only TCP can be forwarded", svc.Name, number, p.Protocol)
		}
		if p.TargetPort == (intstr.IntOrString{}) || p.TargetPort.Type == intstr.Int && p.TargetPort.IntVal == 0 {
			return intstr.FromInt32(p.Port), nil
		}
		return p.TargetPort, nil
	}
	return intstr.IntOrString{}, fmt.Errorf("service %s has no port %q; it has: %s", svc.Name, port, strings.Join(have, ", "))
}

// readyPod waits until a pod behind the Service is ready.
func (t *forwardTarget) readyPod(ctx context.Context) (podPort, error) {
	var found podPort
	var bad error
	lw := cache.NewFilteredListWatchFromClient(t.lease.cluster.client.CoreV1().RESTClient(), "pods", t.lease.Namespace, func(o *metav1.ListOptions) { o.LabelSelector = t.selector })
	err := awaitObject(ctx, lw, func(e watch.Event) bool {
		pod, ok := e.Object.(*corev1.Pod)
		if !ok || e.Type == watch.Deleted || !usable(pod) {
			return false
		}
		found = podPort{name: pod.Name, uid: pod.UID}
		found.port, bad = containerPort(pod, t.port)
		return true
	})
	if err != nil {
		return podPort{}, fmt.Errorf("no ready pod with the labels %s in namespace %s: %w", t.selector, t.lease.Namespace, err)
	}
	return found, bad
}

// stillReady looks whether the pod is the same one and ready: the first request
// after a pod was replaced would be lost otherwise, as the node notices the end
// of a pod late.
func (t *forwardTarget) stillReady(p podPort) bool {
	return slices.ContainsFunc(objects[*corev1.Pod](t.pods, "pods"), func(pod *corev1.Pod) bool {
		return pod.UID == p.uid && usable(pod)
	})
}

// mirrorPods watches the pods of the lease.
func (l *Lease) mirrorPods(ctx context.Context) (*mirror, error) {
	m, err := newMirror(ctx, []watched{{
		client: l.cluster.client.CoreV1().RESTClient(), resource: "pods", namespace: l.Namespace, object: &corev1.Pod{},
	}})
	if err != nil {
		return nil, l.cluster.apiError("watch the pods of namespace "+l.Namespace, err)
	}
	return m, nil
}

func usable(pod *corev1.Pod) bool { return pod.DeletionTimestamp == nil && podReady(pod) }

func containerPort(pod *corev1.Pod, port intstr.IntOrString) (int32, error) {
	if port.Type == intstr.Int {
		return port.IntVal, nil
	}
	for _, c := range pod.Spec.Containers {
		for _, p := range c.Ports {
			if p.Name == port.StrVal {
				return p.ContainerPort, nil
			}
		}
	}
	return 0, fmt.Errorf("pod %s has no container port named %q", pod.Name, port.StrVal)
}
