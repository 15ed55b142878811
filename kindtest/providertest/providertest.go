// Package providertest is the conformance suite for implementations of
// kindtest.Provider (Run). RunLeases proves what package kindtest promises of
// leases whichever provider the cluster is from, which only a real one shows.
//
// Several suites may run on one cluster at the same time. The functions Engine
// and NodeImage give tests what a cluster is made of.
package providertest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/kindtest"
)

// Run checks what a provider gives: a cluster that is ready, images in it, and
// a chart's way from there to an answer. The cluster need not exist before; it
// is left in place.
func Run(t *testing.T, p kindtest.Provider) {
	s := newSuite(t, p)
	t.Run("Cluster", s.testCluster)
	t.Run("Load", s.testLoad)
	t.Run("Install", s.testInstall)
}

// RunLeases checks leases and what is done in them.
func RunLeases(t *testing.T, p kindtest.Provider) {
	s := newSuite(t, p)
	for name, test := range map[string]func(*testing.T){
		"Apply": s.testApply, "TLS": s.testTLS, "Lease": s.testLease, "Broken": s.testBroken,
		"Unknown field": s.testUnknownField, "No rights": s.testNoRights, "Few rights": s.testFewRights,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t) })
	}
}

type suite struct {
	provider kindtest.Provider
	cluster  *kindtest.Cluster
	note     string // makes the suite's bundles its own
	ref      string // under which the first one is loaded
	bundle   Bundle
	loaded   kindtest.Loaded
}

func newSuite(t *testing.T, p kindtest.Provider) *suite {
	t.Helper()
	begin := time.Now()
	c, err := p.Ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("first Ensure: %s", since(begin))
	s := &suite{provider: p, cluster: c, note: rand.Text()}
	s.bundle, s.ref = BuildBundle(t, s.note), "pipeline.local/answer:"+strings.ToLower(s.note)
	begin = time.Now()
	if s.loaded, err = c.Load(t.Context(), s.bundle.Layout, s.bundle.Digest, s.ref); err != nil {
		t.Fatal(err)
	}
	t.Logf("Load: %s, %d bytes", since(begin), s.loaded.Sent)
	return s
}

func since(t time.Time) time.Duration { return time.Since(t).Round(time.Millisecond) }

// lease takes a lease that is given back at the end of the test.
func (s *suite) lease(t *testing.T) *kindtest.Lease {
	t.Helper()
	l, err := s.cluster.Lease(t.Context(), kindtest.LeaseOptions{Prefix: "kt", RunID: "suite"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Release(context()); err != nil {
			t.Error(err)
		}
	})
	return l
}

func (s *suite) testCluster(t *testing.T) {
	begin := time.Now()
	again, err := s.provider.Ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := since(begin); d > time.Second {
		t.Errorf("the second Ensure took %s", d)
	} else {
		t.Logf("second Ensure: %s", d)
	}
	if again.Name != s.provider.Name() || !strings.HasPrefix(again.Version, "v1.") {
		t.Errorf("name %q, version %q", again.Name, again.Version)
	}
	info, err := os.Stat(again.Kubeconfig)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("kubeconfig: %v, %v", info, err)
	}
	if err := again.CheckSystem(t.Context()); err != nil {
		t.Error(err)
	}
}

func (s *suite) testLoad(t *testing.T) {
	begin := time.Now()
	same, err := s.cluster.Load(t.Context(), s.bundle.Layout, s.bundle.Digest, s.ref)
	if err != nil || !same.Skipped {
		t.Errorf("loaded again: %+v, %v", same, err)
	}
	t.Logf("Load again: %s", since(begin))
	other := BuildBundle(t, s.note+" changed")
	begin = time.Now()
	loaded, err := s.cluster.Load(t.Context(), other.Layout, other.Digest, s.ref+"-changed")
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Skipped || loaded.Sent > 100<<10 || loaded.Config != s.loaded.Config {
		t.Errorf("another bundle with the same image: %+v, first: %+v", loaded, s.loaded)
	}
	t.Logf("Load with the same layers: %s, %d bytes", since(begin), loaded.Sent)
	if _, err := s.cluster.Load(t.Context(), s.bundle.Layout, "sha256:"+strings.Repeat("0", 64), "x:1"); err == nil {
		t.Error("a digest that is not in the layout was loaded")
	}
}

func (s *suite) testInstall(t *testing.T) {
	begin := time.Now()
	l := s.lease(t)
	t.Logf("Lease: %s", since(begin))
	begin = time.Now()
	chart := kindtest.Chart{Release: "answer", Path: chartPath(t), Values: map[string]any{"image": s.loaded.Ref, "answer": "forty-two"}}
	if err := l.InstallChart(t.Context(), chart); err != nil {
		t.Fatal(err)
	}
	t.Logf("InstallChart: %s", since(begin))
	if err := l.WaitReady(t.Context(), kindtest.ReadyOptions{Progress: func(s string) { t.Log(s) }}); err != nil {
		t.Fatal(diagnosis(err))
	}
	t.Logf("chart to ready: %s", since(begin))
	s.checkImages(t, l)
	s.checkForward(t, l)
	begin = time.Now()
	if err := l.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("Release: %s", since(begin))
	if err := l.WaitGone(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("gone: %s", since(begin))
}

func (s *suite) checkImages(t *testing.T, l *kindtest.Lease) {
	images, err := l.Images(t.Context())
	if err != nil || len(images) != 1 {
		t.Fatalf("%+v, %v", images, err)
	}
	t.Logf("imageID %s, index %s", images[0].ImageID, s.bundle.Digest)
	if ok, err := s.cluster.Runs(t.Context(), images[0].ImageID, s.loaded); !ok || err != nil {
		t.Errorf("pod runs %+v, loaded was %+v (%v)", images[0], s.loaded, err)
	}
}

// testUnknownField installs a chart with a misspelt field.
func (s *suite) testUnknownField(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"Chart.yaml":         "apiVersion: v2\nname: wrong\nversion: 1.0.0\n",
		"templates/job.yaml": "kind: Job\napiVersion: batch/v1\nmetadata: {name: j}\nspec: {tempalte: {}}\n",
	} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	err := s.lease(t).InstallChart(t.Context(), kindtest.Chart{Release: "wrong", Path: dir})
	var bad *kindtest.ChartError
	if !errors.As(err, &bad) || !strings.Contains(bad.Error(), "tempalte") {
		t.Errorf("a chart with an unknown field: %v", err)
	}
}

func (s *suite) checkForward(t *testing.T, l *kindtest.Lease) {
	services, err := l.Services(t.Context())
	if err != nil || len(services) != 1 || services[0].Ports[0].Name != "web" {
		t.Fatalf("%+v, %v", services, err)
	}
	begin := time.Now()
	f, err := l.Forward(t.Context(), "answer", "web")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	first := get(t, "http://"+f.Addr)
	t.Logf("Forward and first answer: %s: %s", since(begin), first)
	if !strings.HasPrefix(first, "forty-two answer-") {
		t.Errorf("answer: %q", first)
	}
	s.replacePod(t, l, strings.TrimPrefix(first, "forty-two "))
	if second := get(t, "http://"+f.Addr); second == first || !strings.HasPrefix(second, "forty-two ") {
		t.Errorf("after the pod was replaced: %q, before: %q", second, first)
	}
}

func (s *suite) testApply(t *testing.T) {
	l := s.lease(t)
	err := l.Apply(t.Context(), "app.yaml", []byte(manifest("kind: Job\napiVersion: batch/v1\nmetadata: {name: j}\nspec: {tempalte: {}}\n")))
	var bad *kindtest.ManifestError
	if !errors.As(err, &bad) || bad.Line != 3 || !strings.Contains(err.Error(), "tempalte") {
		t.Errorf("unknown field: %v", err)
	}
	err = l.Apply(t.Context(), "app.yaml", []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: mine}\n"))
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), "namespaced") {
		t.Errorf("cluster-scoped object: %v", err)
	}
	for range 2 {
		if err := l.Apply(t.Context(), "app.yaml", []byte(pod("web", s.loaded.Ref, "serve"))); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.WaitReady(t.Context(), kindtest.ReadyOptions{}); err != nil {
		t.Fatal(diagnosis(err))
	}
	dir := t.TempDir()
	if err := l.Collect(t.Context(), dir); err != nil {
		t.Error(err)
	}
	log, err := os.ReadFile(filepath.Join(dir, "pods", "web.app.log"))
	if err != nil || !strings.Contains(string(log), "listening") {
		t.Errorf("collected log: %q, %v", log, err)
	}
}

func (s *suite) testTLS(t *testing.T) {
	l := s.lease(t)
	ca, err := l.TLS(t.Context(), "web-tls", []string{"web"})
	if err != nil || !strings.Contains(string(ca), "BEGIN CERTIFICATE") {
		t.Fatalf("%s, %v", ca, err)
	}
	if _, err := l.TLS(t.Context(), "web-tls", []string{"web"}); err == nil {
		t.Error("a second secret of the same name was accepted")
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	// A new connection each time, as different test processes would make.
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// diagnosis is what a failed test shows of err.
func diagnosis(err error) string {
	var e *kindtest.NotReadyError
	if errors.As(err, &e) {
		return fmt.Sprintf("%v\n%s", err, e.Diagnosis)
	}
	return err.Error()
}
