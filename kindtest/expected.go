package kindtest

import (
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// expected are the workloads that somebody waits for in a namespace which holds
// others as well. The zero value expects nothing; nil expects whatever is there.
type expected struct {
	// generations are those that the API server gave, by "deployment/web". A watch
	// may begin with an older state, in which all was still ready.
	generations map[string]int64
	seen        map[string]bool
}

// expect adds a workload; other kinds of objects are never waited for.
func (e *expected) expect(kind string, object metav1.Object) {
	key := strings.ToLower(kind)
	switch key {
	case "deployment", "statefulset", "daemonset", "job", "pod":
	default:
		return
	}
	if e.generations == nil {
		e.generations, e.seen = make(map[string]int64), make(map[string]bool)
	}
	e.generations[key+"/"+object.GetName()] = object.GetGeneration()
}

// pick returns what of s is expected, with the pods that belong to it.
func (e *expected) pick(s *Snapshot) *Snapshot {
	if e == nil {
		return s
	}
	out := *s
	pods := make(map[string]*corev1.Pod)
	out.Deployments = choose(e, s, pods, "deployment", s.Deployments, func(d *appsv1.Deployment) *metav1.LabelSelector { return d.Spec.Selector })
	out.StatefulSets = choose(e, s, pods, "statefulset", s.StatefulSets, func(d *appsv1.StatefulSet) *metav1.LabelSelector { return d.Spec.Selector })
	out.DaemonSets = choose(e, s, pods, "daemonset", s.DaemonSets, func(d *appsv1.DaemonSet) *metav1.LabelSelector { return d.Spec.Selector })
	out.Jobs = choose(e, s, pods, "job", s.Jobs, func(j *batchv1.Job) *metav1.LabelSelector { return j.Spec.Selector })
	for _, p := range choose(e, s, pods, "pod", s.Pods, func(*corev1.Pod) *metav1.LabelSelector { return nil }) {
		pods[p.Name] = p
	}
	out.Pods = nil
	for _, p := range s.Pods {
		if pods[p.Name] != nil {
			out.Pods = append(out.Pods, p)
		}
	}
	return &out
}

// choose returns the expected ones of list and adds their pods.
func choose[T metav1.Object](e *expected, s *Snapshot, pods map[string]*corev1.Pod, kind string, list []T, selector func(T) *metav1.LabelSelector) []T {
	var out []T
	for _, o := range list {
		key := kind + "/" + o.GetName()
		generation, ok := e.generations[key]
		if !ok {
			continue
		}
		if o.GetGeneration() >= generation {
			e.seen[key] = true
		}
		out = append(out, o)
		for _, p := range s.podsOf(selector(o)) {
			pods[p.Name] = p
		}
	}
	return out
}

// complete adds to a diagnosis of what pick returned the workloads that have not
// been seen yet. One that was seen and is gone is not missed: a Job may have a
// time to live.
func (e *expected) complete(d Diagnosis) Diagnosis {
	if e == nil {
		return d
	}
	for _, key := range slices.Sorted(maps.Keys(e.generations)) {
		if !e.seen[key] {
			d.Workloads++
			d.Problems = append(d.Problems, Problem{Workload: key, Reason: "Waiting", Message: "the cluster does not show it in its new state", rank: rankWaiting + 1})
		}
	}
	return d
}
