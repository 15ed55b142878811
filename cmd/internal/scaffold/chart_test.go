package scaffold_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/yaml"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"gitlab.com/selfcontained/pipeline/cmd/internal/scaffold"
)

// rendered is what Helm makes of a chart.
type rendered struct {
	deployment *appsv1.Deployment
	service    *corev1.Service
}

// render lets Helm render a chart, with its values checked against its schema.
func render(t *testing.T, chart string, values map[string]any) rendered {
	t.Helper()
	c, err := loader.LoadDir(chart)
	if err != nil {
		t.Fatal(err)
	}
	all, err := chartutil.ToRenderValues(c, values, chartutil.ReleaseOptions{Name: "r", Namespace: "n"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := engine.Render(c, all)
	if err != nil {
		t.Fatal(err)
	}
	r := rendered{deployment: &appsv1.Deployment{}}
	for name, text := range texts {
		var err error
		switch filepath.Base(name) {
		case "workload.yaml":
			err = yaml.UnmarshalStrict([]byte(text), r.deployment)
		case "service.yaml":
			r.service = &corev1.Service{}
			err = yaml.UnmarshalStrict([]byte(text), r.service)
		}
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
	return r
}

const dockerfile = "-- go.mod --\nmodule gitlab.com/shop/probed\n\ngo 1.26\n-- main.go --\npackage main\n\nfunc main() {}\n-- Dockerfile --\nFROM scratch\nUSER 1234:99\n"

// TestChart renders the chart for services of each kind.
func TestChart(t *testing.T) {
	t.Parallel()
	manifest := func(probe string) string {
		return dockerfile + "-- deploy/k8s/a.yaml --\napiVersion: v1\nkind: Service\nmetadata: {name: probed}\nspec: {ports: [{port: 80}]}\n---\n" +
			"apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: probed}\nspec: {template: {spec: {containers: [{name: x, image: x, args: [\"-v\", \"a: {{b}}\"], env: [{name: N, value: \"1\"}], ports: [{name: p, containerPort: 8080}], " + probe + "}]}}}\n"
	}
	for name, test := range map[string]struct {
		files    string
		probe    string // as JSON
		port     int32  // of the Service, 0 for none
		portName string
	}{
		"no port": {dockerfile, "null", 0, ""},
		"port":    {dockerfile + "EXPOSE 7000\n", `{"tcpSocket":{"port":"tcp"},"timeoutSeconds":2,"periodSeconds":1,"failureThreshold":3}`, 7000, "tcp"},
		"http":    {manifest("readinessProbe: {httpGet: {path: \"/a?b: #\", port: p}}"), `{"httpGet":{"path":"/a?b: #","port":"http"},"timeoutSeconds":2,"periodSeconds":1,"failureThreshold":3}`, 80, "http"},
		"grpc":    {manifest("livenessProbe: {grpc: {port: 8080}}"), `{"grpc":{"port":8080,"service":null},"timeoutSeconds":2,"periodSeconds":1,"failureThreshold":3}`, 80, "grpc"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := repository(t, txtar.Parse([]byte(test.files)))
			if err := scaffold.Write(plan(t, dir, scaffold.Options{}), dir); err != nil {
				t.Fatal(err)
			}
			r := render(t, filepath.Join(dir, "deploy/chart"), map[string]any{"image": map[string]any{"repository": "r.example/x", "tag": "1", "pullPolicy": "Never"}})
			pod := r.deployment.Spec.Template.Spec
			c := pod.Containers[0]
			got, err := json.Marshal(c.ReadinessProbe)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.probe, string(got)); diff != "" {
				t.Error("readiness probe", diff)
			}
			hardened(t, pod)
			if c.Image != "r.example/x:1" || c.ImagePullPolicy != "Never" {
				t.Errorf("image %s, %s", c.Image, c.ImagePullPolicy)
			}
			if strings.Contains(test.files, "env:") && (len(c.Env) != 1 || c.Env[0].Value != "1" || !cmp.Equal(c.Args, []string{"-v", "a: {{b}}"})) {
				t.Errorf("arguments %q, environment %v", c.Args, c.Env)
			}
			if (r.service != nil) != (test.port != 0) {
				t.Fatalf("service %v", r.service)
			}
			if test.port == 0 {
				return
			}
			if p := r.service.Spec.Ports[0]; p.Port != test.port || p.TargetPort.StrVal != test.portName || c.Ports[0].Name != test.portName {
				t.Errorf("port %+v to %+v", p, c.Ports)
			}
			if !cmp.Equal(r.service.Spec.Selector, r.deployment.Spec.Selector.MatchLabels) {
				t.Error("the Service does not select the pods")
			}
		})
	}
}

// hardened checks that a pod runs as the user of the image, without rights and
// on a root file system that it cannot change.
func hardened(t *testing.T, pod corev1.PodSpec) {
	t.Helper()
	s, c := pod.SecurityContext, pod.Containers[0].SecurityContext
	if !*s.RunAsNonRoot || *s.RunAsUser != 1234 || *s.RunAsGroup != 99 || !*c.ReadOnlyRootFilesystem || *c.AllowPrivilegeEscalation || len(c.Capabilities.Drop) != 1 {
		t.Errorf("pod %+v, container %+v", s, c)
	}
	if *pod.AutomountServiceAccountToken || pod.ServiceAccountName == "" {
		t.Error("the pod has a token")
	}
}

// TestChartSchema must refuse values that mean nothing.
func TestChartSchema(t *testing.T) {
	t.Parallel()
	dir := repository(t, txtar.Parse([]byte(dockerfile+"EXPOSE 7000\n")))
	if err := scaffold.Write(plan(t, dir, scaffold.Options{}), dir); err != nil {
		t.Fatal(err)
	}
	c, err := loader.LoadDir(filepath.Join(dir, "deploy/chart"))
	if err != nil {
		t.Fatal(err)
	}
	for _, values := range []map[string]any{
		{"prot": 1}, {"args": "x"}, {"service": map[string]any{"port": 70000}}, {"image": map[string]any{"pullPolicy": "Sometimes"}},
	} {
		if _, err := chartutil.ToRenderValues(c, values, chartutil.ReleaseOptions{Name: "r"}, nil); err == nil {
			t.Errorf("%v passed", values)
		}
	}
}
