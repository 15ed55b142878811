package providertest

import (
	stdcontext "context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/selfcontained/pipeline/kindtest"
)

//go:embed testdata/chart
var chartFiles embed.FS

// context is for clean-up, when the test's own has ended.
func context() stdcontext.Context { return stdcontext.Background() }

func chartPath(t *testing.T) string {
	t.Helper()
	sub, err := fs.Sub(chartFiles, "testdata/chart")
	dir := filepath.Join(t.TempDir(), "answer")
	if err == nil {
		err = os.CopyFS(dir, sub)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func manifest(objects ...string) string { return "# test\n---\n" + strings.Join(objects, "---\n") }

func pod(name, image, mode string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata: {name: %s, labels: {app: %[1]s}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: app
    image: %s
    args: [%s]
    readinessProbe: {httpGet: {path: /ready, port: 8080}, periodSeconds: 1}
`, name, image, mode)
}

// replacePod deletes a pod and returns when its successor is ready.
func (s *suite) replacePod(t *testing.T, l *kindtest.Lease, name string) {
	t.Helper()
	if err := s.cluster.Client().CoreV1().Pods(l.Namespace).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := l.WaitReady(t.Context(), kindtest.ReadyOptions{}); err != nil {
		t.Fatal(diagnosis(err))
	}
}

func (s *suite) testLease(t *testing.T) {
	ctx := t.Context()
	mine := s.lease(t)
	me, err := kindtest.CurrentOwner(ctx)
	if err != nil {
		t.Fatal(err)
	}
	dead := me
	dead.Start = "0" // the same process id, started at another time
	orphan := s.leaseOf(t, kindtest.LeaseOptions{Prefix: "kt", Owner: dead})
	other := me
	other.Host = "elsewhere"
	foreign := s.leaseOf(t, kindtest.LeaseOptions{Prefix: "kt", Owner: other})
	expired := s.leaseOf(t, kindtest.LeaseOptions{Prefix: "kt", Owner: other, TTL: time.Nanosecond})
	stranger := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "stranger-", Annotations: map[string]string{kindtest.ExpiresAnnotation: "2001-01-01T00:00:00Z"}}}
	stranger, err = s.cluster.Client().CoreV1().Namespaces().Create(ctx, stranger, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = s.cluster.Client().CoreV1().Namespaces().Delete(context(), stranger.Name, metav1.DeleteOptions{})
	}()
	swept, err := s.cluster.Sweep(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []*kindtest.Lease{orphan, expired} {
		// Another run's sweep may have been first.
		if !slices.Contains(swept, l.Namespace) && s.there(t, l.Namespace) {
			t.Errorf("%s was not swept, only %v", l.Namespace, swept)
		}
	}
	for _, name := range []string{mine.Namespace, foreign.Namespace, stranger.Name} {
		if slices.Contains(swept, name) || !s.there(t, name) {
			t.Errorf("%s was swept", name)
		}
	}
	leases, err := s.cluster.Leases(ctx)
	if err != nil || !slices.ContainsFunc(leases, func(l kindtest.Leased) bool {
		return l.Namespace == mine.Namespace && l.Run == "suite" && l.Stale == ""
	}) {
		t.Errorf("leases: %+v, %v", leases, err)
	}
}

// there reports whether the namespace exists and is not being deleted.
func (s *suite) there(t *testing.T, namespace string) bool {
	t.Helper()
	ns, err := s.cluster.Client().CoreV1().Namespaces().Get(t.Context(), namespace, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return err == nil && ns.DeletionTimestamp == nil
}

func (s *suite) leaseOf(t *testing.T, o kindtest.LeaseOptions) *kindtest.Lease {
	t.Helper()
	l, err := s.cluster.Lease(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Release(context()) })
	return l
}

// testBroken shows each of the common failures to WaitReady.
func (s *suite) testBroken(t *testing.T) {
	for _, c := range []struct {
		name, manifest, reason string
		hopeless               bool
		timeout                time.Duration
		says                   []string
	}{
		{"crash", pod("crash", s.loaded.Ref, "crash"), "CrashLoopBackOff", true, time.Minute, []string{"code 7", "fatal: no route to the answer"}},
		{"unready", pod("unready", s.loaded.Ref, "unready"), "NotReady", false, 30 * time.Second, []string{"Readiness probe failed", "503", "listening on :8080"}},
		{"image", pod("image", "pipeline.invalid/missing:1", "serve"), "ImagePull", true, time.Minute, []string{"pipeline.invalid/missing:1", "IfNotPresent"}},
		{"never", strings.Replace(pod("never", "pipeline.local/missing:1", "serve"), "    args", "    imagePullPolicy: Never\n    args", 1), "ErrImageNeverPull", true, time.Minute, []string{"missing:1"}},
		{"config", strings.Replace(pod("config", s.loaded.Ref, "serve"), "    args", "    envFrom: [{secretRef: {name: absent}}]\n    args", 1), "CreateContainerConfigError", true, time.Minute, []string{`secret "absent" not found`}},
		{"room", strings.Replace(pod("room", s.loaded.Ref, "serve"), "    args", "    resources: {requests: {cpu: 1000}}\n    args", 1), "Unschedulable", true, time.Minute, []string{"Insufficient cpu"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := s.lease(t)
			if err := l.Apply(t.Context(), c.name+".yaml", []byte(c.manifest)); err != nil {
				t.Fatal(err)
			}
			err := l.WaitReady(t.Context(), kindtest.ReadyOptions{Timeout: c.timeout, Restarts: 1, MaxGrace: 2 * time.Second})
			var e *kindtest.NotReadyError
			if !errors.As(err, &e) {
				t.Fatalf("error: %v", err)
			}
			text := e.Diagnosis.String()
			t.Logf("after %s: %v\n%s", e.After.Round(time.Millisecond), err, text)
			if e.Hopeless != c.hopeless || !strings.Contains(e.Diagnosis.Problems[0].Reason, c.reason) {
				t.Errorf("hopeless %v, reason %q", e.Hopeless, e.Diagnosis.Problems[0].Reason)
			}
			for _, want := range c.says {
				if !strings.Contains(text, want) {
					t.Errorf("the diagnosis lacks %q", want)
				}
			}
		})
	}
}
