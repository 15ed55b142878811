//go:build cluster

package deploy_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/scs/deploy"
)

// TestDeploy runs everything that needs a cluster, each in a namespace of its own.
func TestDeploy(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{ // the longest first
		{"kill", w.testKill}, {"drift", w.testDrift}, {"failure", w.testFailure}, {"lifecycle", w.testLifecycle},
		{"another one after a kill", w.testKillOther}, {"refusals", w.testRefusals}, {"secrets", w.testSecrets},
		{"dead holder", w.testDeadHolder}, {"kinds", w.testKinds}, {"two at once", w.testTwo},
	} {
		t.Run(test.name, func(t *testing.T) { t.Parallel(); test.run(t) })
	}
}

// testLifecycle installs, installs again, upgrades, removes and adds.
func (w *world) testLifecycle(t *testing.T) {
	d := w.fresh(t, "cart", "stock", "web")
	p, err := deploy.Prepare(t.Context(), w.cluster, d, deploy.Options{})
	if err != nil || len(p.Changes) != 3 || p.Nothing {
		t.Fatalf("plan: %+v, %v", p, err)
	}
	if s := w.look(t, d); len(s.Drift) != 4 || s.Drift[0].Kind != deploy.OtherState || s.Drift[1].Kind != deploy.Missing {
		t.Errorf("before the first deployment: %s", s.Text())
	}
	w.apply(t, d)
	w.wantRevisions(t, d, "cart 1 deployed", "stock 1 deployed", "web 1 deployed")
	w.noDrift(t, d)
	if p := w.apply(t, d); !p.Nothing {
		t.Errorf("the second time: %s", p.Text())
	}
	w.wantRevisions(t, d, "cart 1 deployed", "stock 1 deployed", "web 1 deployed")

	d = next(d, w.member(t, "stock", "0.1.1"), w.member(t, "mail", "0.1.0"))
	d.Members = d.Members[1:] // cart is gone
	d.Waves = [][]string{{"stock"}, {"web"}}
	if p := w.apply(t, d); p.Changes[0].String() != "upgrade stock 0.1.0 -> 0.1.1" {
		t.Errorf("plan: %s", p.Text())
	}
	w.wantRevisions(t, d, "mail 1 deployed", "stock 2 deployed", "web 1 deployed")
	w.noDrift(t, d)
	s := w.look(t, d)
	if i := s.Record.Installed; i == nil || i.Version != d.Version || i.By != "test" || len(i.Members) != 3 || i.Members[0].Bundle != d.Members[0].Bundle {
		t.Errorf("record: %s", s.JSON())
	}
}

// testFailure lets one member of an upgrade not get ready.
func (w *world) testFailure(t *testing.T) {
	good := w.fresh(t, "cart", "stock")
	good.Waves = [][]string{{"stock"}, {"cart"}}
	w.apply(t, good)

	unready := w.member(t, "cart", "0.1.1")
	unready.Values = append(unready.Values, map[string]any{"mode": "unready", "extra": "left over"})
	bad := next(good, w.member(t, "stock", "0.1.1"), unready, w.member(t, "audit", "0.1.0"))
	bad.Waves = [][]string{{"audit", "stock"}, {"cart"}}
	_, err := deploy.Apply(t.Context(), w.cluster, bad, deploy.Options{By: "test", Ready: 30 * time.Second})
	var failed *deploy.FailedError
	var notReady *kindtest.NotReadyError
	if !errors.As(err, &failed) || !errors.As(err, &notReady) || failed.Stuck != nil || len(failed.Back) != 3 {
		t.Fatalf("error: %v", err)
	}
	if text := err.Error(); !strings.Contains(text, "service cart 0.1.1") || !strings.Contains(text, "readiness probe") || !strings.Contains(text, "as it was before") {
		t.Errorf("error: %v", err)
	}
	w.wantRevisions(t, good, "cart 3 deployed", "stock 3 deployed")
	w.noDrift(t, good)
	if _, err := w.cluster.Client().CoreV1().ConfigMaps(good.Namespace).Get(t.Context(), "cart-extra", metav1.GetOptions{}); err == nil {
		t.Error("the rollback left an object of the failed revision")
	}
	s := w.look(t, bad)
	if s.Record.Failed == nil || !strings.Contains(s.Text(), "deploying it failed: ") || s.Record.Deploying != nil {
		t.Errorf("status: %s", s.Text())
	}
	mended := next(bad, w.member(t, "cart", "0.1.2"))
	w.apply(t, mended)
	w.noDrift(t, mended)
}

// testRefusals checks what is refused before anything is changed.
func (w *world) testRefusals(t *testing.T) {
	old := w.fresh(t, "stock")
	d := next(old)
	w.apply(t, d)
	refused := func(d deploy.Deployment, o deploy.Options, want any, text string) {
		t.Helper()
		_, err := deploy.Apply(t.Context(), w.cluster, d, o)
		if want != nil && !errors.As(err, want) || err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("error: %v (%T), want %T with %q", err, err, want, text)
		}
	}
	var older *deploy.OlderError
	refused(old, deploy.Options{}, &older, "sequence 2, which is newer than 1")
	other := d
	other.ID = old.ID
	refused(other, deploy.Options{Older: true}, &older, "another combination under the same sequence")
	var foreign *kindtest.ForeignError
	production := d
	production.Environment = "production"
	refused(production, deploy.Options{}, &foreign, "environment staging of system shop")
	production.Namespace = "kube-system"
	refused(production, deploy.Options{}, &foreign, "Kubernetes")

	blind := next(d, w.member(t, "stock", "0.1.1"))
	blind.Members[0].Chart = archive(t, "0.1.1", strings.Replace(appTemplate, "{{ .Values.image.repository }}", "elsewhere.local/x", 1))
	refused(blind, deploy.Options{}, nil, "does not run its image")
	typo := next(d, w.member(t, "stock", "0.1.1"))
	typo.Members[0].Chart = archive(t, "0.1.1", strings.Replace(appTemplate, "replicas: 1", "replcas: 1", 1))
	refused(typo, deploy.Options{}, nil, "replcas")
	w.noDrift(t, d)

	if _, err := deploy.Apply(t.Context(), w.cluster, old, deploy.Options{Older: true}); err != nil {
		t.Error(err)
	}
	w.noDrift(t, old)

	leased, err := w.cluster.Lease(t.Context(), kindtest.LeaseOptions{Prefix: "kt"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = leased.Release(t.Context()) })
	d.Namespace = leased.Namespace
	refused(d, deploy.Options{}, &foreign, "a test run")
}

// testSecrets deploys a chart that needs a certificate.
func (w *world) testSecrets(t *testing.T) {
	d := w.fresh(t, "stock")
	d.Members[0].Values = append(d.Members[0].Values, map[string]any{"secret": deploy.TLSSecret})
	_, err := deploy.Apply(t.Context(), w.cluster, d, deploy.Options{})
	var missing *deploy.MissingSecretsError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "no secret pipeline-tls") || !missing.DevTLS {
		t.Fatalf("error: %v", err)
	}
	if got := w.revisions(t, d); got != nil {
		t.Errorf("installed all the same: %v", got)
	}
	var told []string
	_, err = deploy.Apply(t.Context(), w.cluster, d, deploy.Options{DevTLS: true, Tell: func(s release.Step, done bool) {
		if !done {
			told = append(told, s.Name)
		}
	}})
	if err != nil || strings.Join(told, " ") != "namespace secret services record" {
		t.Fatalf("steps %v: %v", told, err)
	}
	secret := func() *corev1.Secret {
		s, err := w.cluster.Client().CoreV1().Secrets(d.Namespace).Get(t.Context(), deploy.TLSSecret, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := secret().UID
	d = next(d, d.Members[0])
	d.Members[0].Values = append(d.Members[0].Values, map[string]any{"answer": "43"})
	if _, err := deploy.Apply(t.Context(), w.cluster, d, deploy.Options{DevTLS: true}); err != nil {
		t.Fatal(err)
	}
	if secret().UID != first {
		t.Error("the certificate was made twice")
	}
	w.noDrift(t, d)
	var none *deploy.MissingSecretsError
	d = next(d, d.Members[0])
	d.Members[0].Values = append(d.Members[0].Values, map[string]any{"secret": "corporate-tls"})
	if _, err := deploy.Prepare(t.Context(), w.cluster, d, deploy.Options{DevTLS: true}); !errors.As(err, &none) || none.Secrets[0] != "corporate-tls" {
		t.Errorf("error: %v", err)
	}
}
