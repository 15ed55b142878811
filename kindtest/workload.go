package kindtest

import (
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// Grace periods of problems that other objects, still to come, may solve.
const (
	graceRefused  = 15 * time.Second // quota, pod security, service account
	graceSchedule = 20 * time.Second // room on a node, a volume
	graceConfig   = 10 * time.Second // a Secret or ConfigMap
	gracePull     = 20 * time.Second // a registry that stutters
)

// workload is what the different kinds have in common.
type workload struct {
	kind, name string
	ready      bool
	have, want int32
	pods       []*corev1.Pod
	// failed is the controller's own verdict, if there is one.
	failed *Problem
}

func (w *workload) String() string {
	if w.kind == "pod" {
		return "pod/" + w.name
	}
	return fmt.Sprintf("%s/%s %d/%d ready", w.kind, w.name, w.have, w.want)
}

func (s *Snapshot) workloads() []*workload {
	var out []*workload
	for _, d := range s.Deployments {
		out = append(out, s.deployment(d))
	}
	for _, d := range s.StatefulSets {
		out = append(out, s.statefulSet(d))
	}
	for _, d := range s.DaemonSets {
		out = append(out, s.daemonSet(d))
	}
	for _, j := range s.Jobs {
		out = append(out, s.job(j))
	}
	return append(out, s.barePods(out)...)
}

func (s *Snapshot) deployment(d *appsv1.Deployment) *workload {
	want, st := replicas(d.Spec.Replicas), d.Status
	w := &workload{kind: "deployment", name: d.Name, have: st.AvailableReplicas, want: want, pods: s.podsOf(d.Spec.Selector)}
	w.ready = st.ObservedGeneration >= d.Generation && st.UpdatedReplicas == want && st.AvailableReplicas == want && st.Replicas == want
	for _, c := range st.Conditions {
		switch {
		case c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue:
			w.failed = &Problem{Reason: c.Reason, Message: c.Message, Hopeless: true, Grace: graceRefused, rank: rankRefused}
		case c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse && w.failed == nil:
			w.failed = &Problem{Reason: c.Reason, Message: c.Message, Hopeless: true, rank: rankUnready}
		}
	}
	return w
}

func (s *Snapshot) statefulSet(d *appsv1.StatefulSet) *workload {
	want, st := replicas(d.Spec.Replicas), d.Status
	w := &workload{kind: "statefulset", name: d.Name, have: st.ReadyReplicas, want: want, pods: s.podsOf(d.Spec.Selector)}
	w.ready = st.ObservedGeneration >= d.Generation && st.ReadyReplicas == want && st.Replicas == want && st.CurrentRevision == st.UpdateRevision
	w.failed = s.createFailure("StatefulSet", d.Name)
	return w
}

func (s *Snapshot) daemonSet(d *appsv1.DaemonSet) *workload {
	st := d.Status
	w := &workload{kind: "daemonset", name: d.Name, have: st.NumberAvailable, want: st.DesiredNumberScheduled, pods: s.podsOf(d.Spec.Selector)}
	w.ready = st.ObservedGeneration >= d.Generation && st.UpdatedNumberScheduled == w.want && st.NumberAvailable == w.want
	w.failed = s.createFailure("DaemonSet", d.Name)
	return w
}

func (s *Snapshot) job(j *batchv1.Job) *workload {
	w := &workload{kind: "job", name: j.Name, have: j.Status.Succeeded, want: replicas(j.Spec.Completions), pods: s.podsOf(j.Spec.Selector)}
	w.ready = j.Spec.Suspend != nil && *j.Spec.Suspend
	for _, c := range j.Status.Conditions {
		if c.Status != corev1.ConditionTrue {
			continue
		}
		switch c.Type {
		case batchv1.JobComplete:
			w.ready = true
		case batchv1.JobFailed, batchv1.JobFailureTarget:
			w.failed = &Problem{Reason: "JobFailed", Message: c.Reason + ": " + c.Message, Hopeless: true, rank: rankFailed}
		}
	}
	if w.failed == nil {
		w.failed = s.createFailure("Job", j.Name)
	}
	return w
}

// createFailure finds out from events that a controller is not allowed to make
// its pods. Only a Deployment has a condition for it.
func (s *Snapshot) createFailure(kind, name string) *Problem {
	events := s.eventsOf(func(o corev1.ObjectReference) bool { return o.Kind == kind && o.Name == name })
	for _, e := range events {
		if e.Reason == "FailedCreate" {
			return &Problem{Reason: e.Reason, Message: e.Message, Hopeless: true, Grace: graceRefused, rank: rankRefused}
		}
	}
	return nil
}

// barePods returns the pods that no workload selects, as workloads.
func (s *Snapshot) barePods(selected []*workload) []*workload {
	taken := make(map[string]bool)
	for _, w := range selected {
		for _, p := range w.pods {
			taken[p.Name] = true
		}
	}
	var out []*workload
	for _, p := range s.Pods {
		if taken[p.Name] || p.DeletionTimestamp != nil {
			continue
		}
		ready := p.Status.Phase == corev1.PodSucceeded || podReady(p)
		out = append(out, &workload{kind: "pod", name: p.Name, ready: ready, want: 1, pods: []*corev1.Pod{p}})
	}
	return out
}

// problemOf explains why w is not ready: by the pod that says most, else by the
// controller's verdict, else by what is missing.
func (s *Snapshot) problemOf(w *workload) Problem {
	best := Problem{Reason: "Waiting", rank: rankWaiting + 1}
	best.Message = fmt.Sprintf("%d of %d are ready, and no pod shows a problem", w.have, w.want)
	if len(w.pods) == 0 {
		best.Message = "it has no pods yet"
	}
	for _, pod := range w.pods {
		if p, bad := s.podProblem(pod); bad && p.rank < best.rank {
			best = p
		}
	}
	best = withVerdict(best, w.failed)
	best.Workload = w.String()
	best.Events = eventLines(s.eventsOf(func(o corev1.ObjectReference) bool {
		return o.Kind == "Pod" && o.Name == best.Pod || strings.EqualFold(o.Kind, w.kind) && o.Name == w.name
	}))
	return best
}

// withVerdict adds the controller's verdict to what its pods show: the pod's
// story is kept, the verdict makes it final.
func withVerdict(p Problem, verdict *Problem) Problem {
	switch {
	case verdict == nil:
		return p
	case p.Pod == "" || p.rank >= rankWaiting:
		verdict.Pod, verdict.Phase = p.Pod, p.Phase
		return *verdict
	case verdict.rank == rankFailed:
		p.Message = verdict.Message + "; " + p.Message
		p.Reason = verdict.Reason
		p.Hopeless, p.Grace, p.rank = true, 0, min(p.rank, rankFailed)
	case !p.Hopeless:
		p.Hopeless, p.Grace = true, verdict.Grace
	}
	return p
}

func replicas(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}

func podReady(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
