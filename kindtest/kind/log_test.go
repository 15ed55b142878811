package kind

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestLog sends what kind 0.33 sends.
func TestLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := newLogger("shop", &out)
	clock := time.Unix(1000, 0)
	l.now = func() time.Time { clock = clock.Add(450 * time.Millisecond); return clock }
	l.V(0).Infof("Creating cluster %q ...\n", "shop")
	l.V(1).Info("debugging")
	l.Warn("cgroup v1 is deprecated in Kubernetes")
	for _, step := range []string{"Ensuring node image (example/node:1) 🖼️", "Preparing nodes 📦 ", "Starting control-plane 🕹️", "Doing something new 🌈"} {
		l.V(0).Infof(" • %s  ...\n", step)
		l.V(0).Infof(" ✓ %s\n", step)
	}
	l.V(0).Infof(" • %s  ...\n", "Installing CNI 🔌")
	l.V(0).Infof(" ✗ %s\n", "Installing CNI 🔌")
	l.V(0).Infof("Deleted nodes: %q", []string{"shop-control-plane"})
	l.printf("waiting for process %d", 7)
	want := `  cluster shop: node image example/node:1 found (0.5 s)
  cluster shop: node started (0.5 s)
  cluster shop: control plane started (0.5 s)
  cluster shop: Doing something new (0.5 s)
  cluster shop: failed: Installing CNI (0.5 s)
  cluster shop: node deleted
  cluster shop: waiting for process 7
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
	tail := strings.Join(l.tail(), "\n")
	for _, s := range []string{`Creating cluster "shop"`, "warning: cgroup v1 is deprecated", "Preparing nodes"} {
		if !strings.Contains(tail, s) {
			t.Errorf("the tail lacks %q:\n%s", s, tail)
		}
	}
	for range 30 {
		l.Warn("again")
	}
	if n := len(l.tail()); n != logTail {
		t.Errorf("%d lines are kept", n)
	}
}
