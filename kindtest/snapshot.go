package kindtest

import (
	"context"
	"io"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Snapshot is a namespace at one moment: all that a Diagnosis is made from.
type Snapshot struct {
	Namespace    string
	Deployments  []*appsv1.Deployment
	StatefulSets []*appsv1.StatefulSet
	DaemonSets   []*appsv1.DaemonSet
	Jobs         []*batchv1.Job
	Pods         []*corev1.Pod
	Claims       []*corev1.PersistentVolumeClaim
	Events       []*corev1.Event
	// Logs holds the ends of the logs that were fetched.
	Logs map[LogSource]string
	// Restarts is how often a container may have been restarted before its
	// crash loop counts as hopeless.
	Restarts int32
}

// LogSource names the log of one instance of a container.
type LogSource struct {
	Pod, Container string
	// Previous is true for the instance before the current one.
	Previous bool
}

// mirrorNamespace watches everything that a Snapshot holds.
func (l *Lease) mirrorNamespace(ctx context.Context) (*mirror, error) {
	core, apps, batch := l.cluster.client.CoreV1().RESTClient(), l.cluster.client.AppsV1().RESTClient(), l.cluster.client.BatchV1().RESTClient()
	return newMirror(ctx, []watched{
		{client: core, resource: "pods", namespace: l.Namespace, object: &corev1.Pod{}},
		{client: core, resource: "events", namespace: l.Namespace, object: &corev1.Event{}, optional: true},
		{client: core, resource: "persistentvolumeclaims", namespace: l.Namespace, object: &corev1.PersistentVolumeClaim{}, optional: true},
		{client: apps, resource: "deployments", namespace: l.Namespace, object: &appsv1.Deployment{}},
		{client: apps, resource: "statefulsets", namespace: l.Namespace, object: &appsv1.StatefulSet{}, optional: true},
		{client: apps, resource: "daemonsets", namespace: l.Namespace, object: &appsv1.DaemonSet{}, optional: true},
		{client: batch, resource: "jobs", namespace: l.Namespace, object: &batchv1.Job{}, optional: true},
	})
}

// snapshot copies the mirror's state, everything sorted by name.
func (l *Lease) snapshot(m *mirror, restarts int32) *Snapshot {
	return &Snapshot{
		Namespace:    l.Namespace,
		Restarts:     restarts,
		Deployments:  byName(objects[*appsv1.Deployment](m, "deployments")),
		StatefulSets: byName(objects[*appsv1.StatefulSet](m, "statefulsets")),
		DaemonSets:   byName(objects[*appsv1.DaemonSet](m, "daemonsets")),
		Jobs:         byName(objects[*batchv1.Job](m, "jobs")),
		Pods:         byName(objects[*corev1.Pod](m, "pods")),
		Claims:       byName(objects[*corev1.PersistentVolumeClaim](m, "persistentvolumeclaims")),
		Events:       byName(objects[*corev1.Event](m, "events")),
		Logs:         make(map[LogSource]string),
	}
}

func byName[T metav1.Object](list []T) []T {
	slices.SortFunc(list, func(a, b T) int { return strings.Compare(a.GetName(), b.GetName()) })
	return list
}

// podsOf returns the pods that a workload's selector picks and that are not
// about to go.
func (s *Snapshot) podsOf(selector *metav1.LabelSelector) []*corev1.Pod {
	sel, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil || sel.Empty() {
		sel = labels.Nothing()
	}
	var out []*corev1.Pod
	for _, p := range s.Pods {
		if p.DeletionTimestamp == nil && sel.Matches(labels.Set(p.Labels)) {
			out = append(out, p)
		}
	}
	return out
}

// eventsOf returns the warnings about an object, the latest last.
func (s *Snapshot) eventsOf(fits func(corev1.ObjectReference) bool) []*corev1.Event {
	var out []*corev1.Event
	for _, e := range s.Events {
		if e.Type == corev1.EventTypeWarning && fits(e.InvolvedObject) {
			out = append(out, e)
		}
	}
	sortByTime(out)
	return out
}

func sortByTime(events []*corev1.Event) {
	slices.SortStableFunc(events, func(a, b *corev1.Event) int { return eventTime(a).Compare(eventTime(b)) })
}

const logLines = 10

// fetchLogs completes the snapshot with the logs that its diagnosis asks for.
// A log that cannot be had is left out: the diagnosis has other parts.
func (l *Lease) fetchLogs(ctx context.Context, s *Snapshot) {
	for _, p := range Diagnose(s).Problems {
		if p.LogSource == (LogSource{}) {
			continue
		}
		if text, err := l.tail(ctx, p.LogSource, logLines); err == nil {
			s.Logs[p.LogSource] = text
		}
	}
}

// tail reads the last lines of a container's log, at most 64 KiB of them.
func (l *Lease) tail(ctx context.Context, src LogSource, lines int64) (string, error) {
	r, err := l.cluster.client.CoreV1().Pods(l.Namespace).GetLogs(src.Pod, &corev1.PodLogOptions{
		Container: src.Container, Previous: src.Previous, TailLines: &lines,
	}).Stream(ctx)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, 64<<10))
	return string(b), err
}
