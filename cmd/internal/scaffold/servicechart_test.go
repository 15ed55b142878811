package scaffold_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	corev1 "k8s.io/api/core/v1"

	"gitlab.com/selfcontained/pipeline/cmd/internal/scaffold"
)

// TestServicesAreProbedOnTheHealthPort holds for a new service and for those
// that it is modelled on, with and without TLS: the kubelet asks on a port of
// its own, which it finds open and which clients do not get at.
func TestServicesAreProbedOnTheHealthPort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := scaffold.Write(plan(t, dir, scaffold.Options{Service: "fresh"}), dir); err != nil {
		t.Fatal(err)
	}
	for chart, port := range map[string]int32{
		filepath.Join(dir, "chart"):          50061,
		"../../../examples/shop/stock/chart": 50061,
		"../../../examples/shop/cart/chart":  50062,
	} {
		for _, secret := range []string{"", "pipeline-tls"} {
			r := render(t, chart, map[string]any{"tls": map[string]any{"secretName": secret}})
			checkProbes(t, chart, r.deployment.Spec.Template.Spec.Containers[0], port)
			if ports := r.service.Spec.Ports; len(ports) != 1 || ports[0].TargetPort.StrVal != "grpc" {
				t.Errorf("%s: the Service offers %+v", chart, ports)
			}
		}
		r := render(t, chart, map[string]any{"health": map[string]any{"port": 6000}})
		checkProbes(t, chart, r.deployment.Spec.Template.Spec.Containers[0], 6000)
	}
}

func checkProbes(t *testing.T, chart string, c corev1.Container, port int32) {
	t.Helper()
	probe := func(initialDelay, period int32) *corev1.Probe {
		return &corev1.Probe{
			ProbeHandler:        corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: port}},
			InitialDelaySeconds: initialDelay, TimeoutSeconds: 2, PeriodSeconds: period, FailureThreshold: 3,
		}
	}
	got := []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe}
	if diff := cmp.Diff([]*corev1.Probe{nil, probe(0, 1), probe(10, 10)}, got); diff != "" {
		t.Errorf("%s: startup, readiness, liveness (-want +got):\n%s", chart, diff)
	}
	want := corev1.ContainerPort{Name: "health", ContainerPort: port}
	if flag := fmt.Sprint("--health-port=", port); !slices.Contains(c.Ports, want) || !slices.Contains(c.Args, flag) {
		t.Errorf("%s: ports %+v, arguments %q; want %+v, %s", chart, c.Ports, c.Args, want, flag)
	}
}
