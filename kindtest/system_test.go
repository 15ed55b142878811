package kindtest

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestBackSince(t *testing.T) {
	t.Parallel()
	boot := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	at := func(seconds int) metav1.Time { return metav1.NewTime(boot.Add(time.Duration(seconds) * time.Second)) }
	pod := func(started int, ready corev1.ConditionStatus, changed int) *corev1.Pod {
		return &corev1.Pod{Status: corev1.PodStatus{
			ContainerStatuses: []corev1.ContainerStatus{{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at(started)}}}},
			Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: ready, LastTransitionTime: at(changed)}},
		}}
	}
	for name, c := range map[string]struct {
		pod  *corev1.Pod
		now  int
		want bool
	}{
		"ready after it was started":        {pod(5, corev1.ConditionTrue, 7), 8, true},
		"ready in the same second":          {pod(5, corev1.ConditionTrue, 5), 5, true},
		"ready from before the restart":     {pod(5, corev1.ConditionTrue, -100), 8, false},
		"ready from before, but long ago":   {pod(5, corev1.ConditionTrue, -100), 26, true},
		"not ready":                         {pod(5, corev1.ConditionFalse, 6), 8, false},
		"its container is from before":      {pod(-90, corev1.ConditionTrue, -80), 8, false},
		"its container has not come back":   {&corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{}}}}, 8, false},
		"nothing is known of its readiness": {&corev1.Pod{}, 8, false},
	} {
		if got := backSince(c.pod, boot, at(c.now).Time); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if !backSince(c.pod, time.Time{}, at(c.now).Time) {
			t.Errorf("%s: a new cluster has to wait", name)
		}
	}
}
