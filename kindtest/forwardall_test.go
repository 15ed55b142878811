package kindtest

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestOnlyServicesWithAPodAreReached(t *testing.T) {
	t.Parallel()
	tcp := []corev1.ServicePort{{Port: 80, Protocol: corev1.ProtocolTCP}}
	web := map[string]string{"app": "web"}
	ended := func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }
	deleted := func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} }
	for _, c := range []struct {
		name string
		spec corev1.ServiceSpec
		pods []*corev1.Pod
		why  string // empty: it is reached
	}{
		{"a pod that runs", corev1.ServiceSpec{Ports: tcp, Selector: web}, pods(pod("a", running(true))), ""},
		{"a pod that is waited for", corev1.ServiceSpec{Ports: tcp, Selector: web}, pods(pod("a")), ""},
		{"no port", corev1.ServiceSpec{Selector: web}, pods(pod("a")), "no TCP port"},
		{"UDP", corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 53, Protocol: corev1.ProtocolUDP}}, Selector: web}, pods(pod("a")), "no TCP port"},
		{"no selector", corev1.ServiceSpec{Ports: tcp}, pods(pod("a")), "no selector"},
		{"pods of others", corev1.ServiceSpec{Ports: tcp, Selector: web}, pods(pod("a", labelled("cart"))), "app=web"},
		{"pods that are over", corev1.ServiceSpec{Ports: tcp, Selector: web}, pods(pod("a", ended), pod("b", deleted)), "app=web"},
	} {
		why := unreachable(&corev1.Service{Spec: c.spec}, c.pods)
		if (why == "") != (c.why == "") || !strings.Contains(why, c.why) {
			t.Errorf("%s: %q, want %q", c.name, why, c.why)
		}
	}
}
