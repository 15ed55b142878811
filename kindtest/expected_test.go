package kindtest

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestExpected(t *testing.T) {
	t.Parallel()
	one := int32(1)
	deployment := func(name string, generation int64, available int32) *appsv1.Deployment {
		return &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Name: name, Generation: generation},
			Spec:       appsv1.DeploymentSpec{Replicas: &one, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}},
			Status:     appsv1.DeploymentStatus{ObservedGeneration: generation, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: available},
		}
	}
	pod := func(name, app string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": app}}}
	}
	s := &Snapshot{
		Deployments: []*appsv1.Deployment{deployment("web", 2, 1), deployment("broken", 1, 0)},
		Pods:        []*corev1.Pod{pod("broken-1", "broken"), pod("bare", ""), pod("web-1", "web")},
	}
	e := &expected{}
	e.expect("Service", &metav1.ObjectMeta{Name: "web"})
	e.expect("Deployment", &metav1.ObjectMeta{Name: "web", Generation: 3})
	e.expect("Job", &metav1.ObjectMeta{Name: "seed"})
	if d := e.complete(Diagnose(e.pick(s))); len(d.Problems) != 2 || d.Problems[0].Workload != "deployment/web" || d.Problems[1].Workload != "job/seed" {
		t.Errorf("a state from before, and a job that is not there yet: %v", d)
	}
	s.Deployments[0] = deployment("web", 3, 1)
	e.seen["job/seed"] = true // and deleted by its time to live
	picked := e.pick(s)
	if d := e.complete(Diagnose(picked)); len(d.Problems) != 0 || d.Workloads != 1 || len(picked.Pods) != 1 || picked.Pods[0].Name != "web-1" {
		t.Errorf("ready: %v, pods %v", d, picked.Pods)
	}
	var all *expected
	if d := all.complete(Diagnose(all.pick(s))); d.Workloads != 3 || len(d.Problems) != 2 {
		t.Errorf("all of the namespace: %v", d)
	}
}
