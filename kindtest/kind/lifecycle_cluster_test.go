//go:build cluster

package kind

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// TestLifecycle takes one cluster through what happens to clusters. It needs
// one of its own.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	o := ownOptions(t, "docker", "podman")
	p := open(t, o)
	e, err := p.engine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("cancelled", func(t *testing.T) { testCancelled(t, o, e) })
	t.Run("left half-made", func(t *testing.T) { leaveHalfMade(t, p, e) })
	t.Run("two at once", func(t *testing.T) { testTwo(t, o) })
	t.Run("images that go and that stay", func(t *testing.T) { testImages(t, o, e) })
	t.Run("other image", func(t *testing.T) { testImageChange(t, o) })
	t.Run("stopped", func(t *testing.T) { testStopped(t, o, e) })
	t.Run("cache lost", func(t *testing.T) { testCacheLost(t, o) })
	t.Run("logs", func(t *testing.T) {
		if err := p.ExportLogs(t.Context(), t.TempDir()); err != nil {
			t.Log(err) // some of kind's collectors want tools that a node image need not have
		}
	})
	t.Run("deleted", func(t *testing.T) {
		for range 2 {
			if err := p.Delete(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		checkNodes(t, e, o.Cluster, 0)
	})
}

func open(t *testing.T, o Options) *Provider {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func checkNodes(t *testing.T, e *engine, cluster string, want int) {
	t.Helper()
	nodes, err := e.nodes(t.Context(), cluster)
	if err != nil || len(nodes) != want {
		t.Errorf("%d nodes: %+v, %v", want, nodes, err)
	}
}

// testCancelled cancels a creation as soon as there is a node.
func testCancelled(t *testing.T, o Options, e *engine) {
	ctx, cancel := context.WithCancel(t.Context())
	o.Log = writerFunc(func(p []byte) (int, error) {
		if nodes, _ := e.nodes(context.Background(), o.Cluster); len(nodes) > 0 {
			cancel()
		}
		return len(p), nil
	})
	_, err := open(t, o).Ensure(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
	checkNodes(t, e, o.Cluster, 0)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// leaveHalfMade leaves what a process that was killed leaves.
func leaveHalfMade(t *testing.T, p *Provider, e *engine) {
	if err := p.files.write(state{Phase: phaseCreating, Image: p.options.Image, Engine: e.name}); err != nil {
		t.Fatal(err)
	}
	run := proc.Cmd{Args: []string{e.name, "run", "-d", "--name", p.options.Cluster + "-control-plane", "--label", clusterLabel + "=" + p.options.Cluster, "--entrypoint", "/bin/sleep", p.options.Image, "600"}}
	if err := run.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkNodes(t, e, p.options.Cluster, 1)
}

// testTwo lets two providers, as in two processes, make the same cluster.
func testTwo(t *testing.T, o Options) {
	type result struct {
		c   *kindtest.Cluster
		err error
	}
	results := make(chan result)
	begin := time.Now()
	for range 2 {
		p := open(t, o)
		go func() {
			c, err := p.Ensure(t.Context())
			results <- result{c, err}
		}()
	}
	for range 2 {
		if r := <-results; r.err != nil {
			t.Error(r.err)
		}
	}
	t.Logf("both after %s", time.Since(begin).Round(time.Millisecond))
}

// testImages looks whether kubelet will remove images that nothing uses, and
// none that the node came with.
func testImages(t *testing.T, o Options, e *engine) {
	c, err := open(t, o).Ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	node := o.Cluster + "-control-plane"
	config, err := c.Client().CoreV1().RESTClient().Get().Resource("nodes").Name(node).SubResource("proxy", "configz").DoRaw(t.Context())
	if err != nil || !strings.Contains(string(config), `"imageMaximumGCAge":"24h0m0s"`) {
		t.Errorf("kubelet's configuration: %s, %v", config, err)
	}
	out, err := proc.Cmd{Args: []string{e.name, "exec", node, "ctr", "--namespace=k8s.io", "images", "ls"}}.Output(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	images := strings.Split(strings.TrimSpace(string(out)), "\n")[1:]
	for _, image := range images {
		if !strings.Contains(image, "io.cri-containerd.pinned=pinned") {
			t.Errorf("not pinned: %s", image)
		}
	}
	if len(images) < 7 {
		t.Errorf("the node came with %d images only", len(images))
	}
}

func testImageChange(t *testing.T, o Options) {
	o.Image = "example/other:1"
	_, err := open(t, o).Ensure(t.Context())
	var e *kindtest.EnvironmentError
	if !errors.As(err, &e) {
		t.Errorf("error: %v", err)
	}
}

func testStopped(t *testing.T, o Options, e *engine) {
	p := open(t, o)
	before, err := p.Ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l, err := before.Lease(t.Context(), kindtest.LeaseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := (proc.Cmd{Args: []string{e.name, "stop", "-t", "5", o.Cluster + "-control-plane"}}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	after, err := p.Ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("started again after %s", time.Since(begin).Round(time.Millisecond))
	// What the API says now must be true, not what was before the stop.
	for range 20 {
		if err := after.CheckSystem(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if leases, err := after.Leases(t.Context()); err != nil || len(leases) != 1 || leases[0].Namespace != l.Namespace {
		t.Errorf("it is another cluster: %+v, %v", leases, err)
	}
}

func testCacheLost(t *testing.T, o Options) {
	if err := os.RemoveAll(o.CacheDir); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if _, err := open(t, o).Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("taken over after %s", time.Since(begin).Round(time.Millisecond))
}
