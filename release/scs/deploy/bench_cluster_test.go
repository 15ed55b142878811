//go:build cluster

package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gitlab.com/selfcontained/pipeline/release/scs/deploy"
)

// BenchmarkDeploy deploys three services from nothing and once more unchanged, and
// does the same with the program helm, one service after the other, if it is on
// the PATH.
func BenchmarkDeploy(b *testing.B) {
	w := newWorld(b)
	services := []string{"cart", "stock", "web"}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			w.mustApply(b, w.fresh(b, services...))
		}
	})
	b.Run("unchanged", func(b *testing.B) {
		d := w.fresh(b, services...)
		w.mustApply(b, d)
		for b.Loop() {
			w.mustApply(b, d)
		}
	})
	b.Run("look", func(b *testing.B) {
		d := w.fresh(b, services...)
		w.mustApply(b, d)
		for b.Loop() {
			if s, err := deploy.Look(b.Context(), w.cluster, d); err != nil || len(s.Drift) > 0 {
				b.Fatal(s, err)
			}
		}
	})
	b.Run("helm first", func(b *testing.B) {
		for b.Loop() {
			w.helm(b, w.fresh(b, services...))
		}
	})
	b.Run("helm unchanged", func(b *testing.B) {
		d := w.fresh(b, services...)
		w.helm(b, d)
		for b.Loop() {
			w.helm(b, d)
		}
	})
}

func (w *world) mustApply(b *testing.B, d deploy.Deployment) {
	b.Helper()
	if _, err := deploy.Apply(b.Context(), w.cluster, d, deploy.Options{}); err != nil {
		b.Fatal(err)
	}
}

func (w *world) helm(b *testing.B, d deploy.Deployment) {
	b.Helper()
	if _, err := exec.LookPath("helm"); err != nil {
		b.Skip("the program helm is missing")
	}
	for _, m := range d.Members {
		chart := filepath.Join(b.TempDir(), m.Service+".tgz")
		if err := os.WriteFile(chart, m.Chart, 0o600); err != nil {
			b.Fatal(err)
		}
		repository, tag, _ := strings.Cut(w.image.Ref, ":")
		out, err := exec.CommandContext(b.Context(), "helm", "--kubeconfig", w.cluster.Kubeconfig, "--namespace", d.Namespace, "upgrade", "--install", "--create-namespace", "--wait",
			"--set", fmt.Sprintf("mode=serve,answer=%s,image.repository=%s,image.tag=%s,image.pullPolicy=IfNotPresent", m.Version, repository, tag), m.Service, chart).CombinedOutput()
		if err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
}
