//go:build cluster

package deploy_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/kindtest/kind"
	"gitlab.com/selfcontained/pipeline/kindtest/providertest"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/deploy"
)

// TestMain lets more tests run at once than there are processors: they wait for
// pods.
func TestMain(m *testing.M) {
	flag.Parse()
	if n, _ := strconv.Atoi(flag.Lookup("test.parallel").Value.String()); n < 5 {
		_ = flag.Set("test.parallel", "5") // it is a number
	}
	os.Exit(m.Run())
}

// world is the cluster that all runs on this machine share, with an image in it.
type world struct {
	cluster *kindtest.Cluster
	image   kindtest.Loaded
}

func newWorld(t testing.TB) *world {
	t.Helper()
	k, err := kind.New(kind.Options{
		Cluster: os.Getenv("PIPELINE_TEST_CLUSTER"), CacheDir: os.Getenv("PIPELINE_CACHE"), Engine: providertest.Engine(t, "docker", "podman"),
		PickImage: func(_ context.Context, engine string) (string, []string, error) {
			image, patches := providertest.NodeImage(t, engine)
			return image, patches, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{}
	if w.cluster, err = k.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := providertest.BuildBundle(t, "deploy")
	ref := "pipeline.local/deploy:" + strings.TrimPrefix(b.Digest, "sha256:")[:12]
	if w.image, err = w.cluster.Load(t.Context(), b.Layout, b.Digest, ref); err != nil {
		t.Fatal(err)
	}
	return w
}

// fresh is a deployment of services to a namespace that is deleted at the end of
// the test.
func (w *world) fresh(t testing.TB, services ...string) deploy.Deployment {
	t.Helper()
	d := deploy.Deployment{
		System: "shop", Environment: "staging", Namespace: "kt-deploy-" + strings.ToLower(rand.Text()[:8]),
		Version: "1.0.0", ID: evidence.Sum([]byte("1.0.0")), Sequence: 1,
	}
	for _, s := range services {
		d.Members = append(d.Members, w.member(t, s, "0.1.0"))
	}
	w.deleteAfter(t, d.Namespace)
	return d
}

func (w *world) deleteAfter(t testing.TB, namespace string) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := w.cluster.Client().CoreV1().Namespaces().Delete(ctx, namespace, metav1.DeleteOptions{}); err != nil {
			t.Log(err)
		}
	})
}

// member is a service in a version; its pods answer with the version.
func (w *world) member(t testing.TB, service, version string) deploy.Member {
	t.Helper()
	return deploy.Member{
		Member: scs.Member{Service: service, Version: version, Bundle: evidence.Sum([]byte(service + version)), Size: 1},
		Chart:  archive(t, version, appTemplate), Image: w.image,
		Values: []map[string]any{{"answer": "base", "mode": "serve"}, {"answer": version}},
	}
}

// next is the promotion after d, with members added or put in the place of those
// of the same service.
func next(d deploy.Deployment, members ...deploy.Member) deploy.Deployment {
	d.Sequence++
	d.Version = fmt.Sprintf("1.%d.0", d.Sequence)
	d.ID = evidence.Sum([]byte(d.Version))
	old := d.Members
	d.Members = nil
	for _, m := range old {
		for _, n := range members {
			if n.Service == m.Service {
				m = n
			}
		}
		d.Members = append(d.Members, m)
	}
	for _, n := range members {
		if !contains(old, n.Service) {
			d.Members = append(d.Members, n)
		}
	}
	return d
}

func contains(members []deploy.Member, service string) bool {
	for _, m := range members {
		if m.Service == service {
			return true
		}
	}
	return false
}

const appTemplate = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: 1
  selector:
    matchLabels: {app: {{ .Release.Name }}}
  template:
    metadata:
      labels: {app: {{ .Release.Name }}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: app
        image: {{ .Values.image.repository }}{{ with .Values.image.digest }}@{{ . }}{{ else }}:{{ .Values.image.tag }}{{ end }}
        imagePullPolicy: {{ .Values.image.pullPolicy }}
        args: [{{ .Values.mode }}]
        env:
        - {name: ANSWER, value: {{ .Values.answer | quote }}}
        {{- if .Values.twice }}
        - {name: TWICE, value: a}
        - {name: TWICE, value: b}
        {{- end }}
        resources: {requests: {cpu: 0.001, memory: 1024Ki}, limits: null}
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 1}
        {{- with .Values.secret }}
        volumeMounts: [{name: tls, mountPath: /tls}]
      volumes: [{name: tls, secret: {secretName: {{ . }}}}]
      {{- end }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
  labels: {app.kubernetes.io/managed-by: chart}
spec:
  selector: {app: {{ .Release.Name }}}
  ports: [{name: web, port: 80, targetPort: http}]
{{- with .Values.extra }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $.Release.Name }}-extra
data: {text: {{ . | quote }}}
{{- end }}
`

// archive is a chart with one template.
func archive(t testing.TB, version, template string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, f := range [][2]string{{"Chart.yaml", "apiVersion: v2\nname: app\nversion: " + version + "\n"}, {"templates/app.yaml", template}} {
		if err := w.WriteHeader(&tar.Header{Name: "app/" + f[0], Mode: 0o644, Size: int64(len(f[1])), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// apply deploys and fails the test when that does not succeed.
func (w *world) apply(t *testing.T, d deploy.Deployment) *deploy.Plan {
	t.Helper()
	begin := time.Now()
	p, err := deploy.Apply(t.Context(), w.cluster, d, deploy.Options{By: "test", Ready: time.Minute})
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	t.Logf("%s in %s", p.Text(), time.Since(begin).Round(time.Millisecond))
	return p
}

func (w *world) look(t *testing.T, d deploy.Deployment) *deploy.Status {
	t.Helper()
	s, err := deploy.Look(t.Context(), w.cluster, d)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (w *world) noDrift(t *testing.T, d deploy.Deployment) {
	t.Helper()
	if s := w.look(t, d); len(s.Drift) > 0 {
		t.Errorf("drift:\n%s", s.Text())
	}
}

// revisions are the releases in the namespace, "stock 2 deployed".
func (w *world) revisions(t *testing.T, d deploy.Deployment) []string {
	t.Helper()
	releases, err := w.cluster.Space(d.Namespace, d.System, d.Environment).Releases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range releases {
		out = append(out, fmt.Sprintf("%s %d %s", r.Name, r.Revision, r.Status))
	}
	return out
}

func (w *world) wantRevisions(t *testing.T, d deploy.Deployment, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, w.revisions(t, d)); diff != "" {
		t.Errorf("revisions (-want +got):\n%s", diff)
	}
}

// patch changes a deployment as a person would, with a merge patch.
func (w *world) patch(t *testing.T, d deploy.Deployment, name, manager, patch string) {
	t.Helper()
	_, err := w.cluster.Client().AppsV1().Deployments(d.Namespace).Patch(t.Context(), name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: manager})
	if err != nil {
		t.Fatal(err)
	}
}
