//go:build cluster

package cli

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

const shop = "../../../examples/shop"

// moment is when a run is killed: the first time that a stage says so, or its
// start.
type moment struct{ node, says string }

func (m moment) reached(e pipeline.Event) bool {
	if e.Node != m.node {
		return false
	}
	if m.says == "" {
		return e.Type == pipeline.EventStart
	}
	return e.Type == pipeline.EventSay && strings.Contains(e.Text, m.says)
}

func (m moment) String() string { return strings.TrimSpace(m.node + " " + m.says) }

// moments are spread over all that three services go through.
func moments() []moment {
	return []moment{
		{"stock/build", ""}, {"cart/build", "programs"}, {"web/build", "go generate"},
		{"stock/container", ""}, {"web/container", ""},
		{"cart/unit", ""}, {"web/lint", ""},
		{"stock/module", "unpacking"}, {"cart/module", "dry run"}, {"web/module", "ready"}, {"cart/module", "tests"}, {"web/module", "SIGTERM"},
		{"cart/integration", "waiting for the cluster"}, {"web/integration", "loading stock"}, {"web/integration", "loading web"},
		{"stock/integration", "ready, waiting"}, {"cart/integration", "ready, waiting"}, {"web/integration", "ready, waiting"},
		{"cart/integration", "testing"}, {"web/integration", "testing"},
	}
}

// TestTwentyKills kills runs of three services, each at another moment. The next
// run must pass and leave everything as it was before.
func TestTwentyKills(t *testing.T) {
	warm := copyOf(t, shop)
	if got := warm.run(t); got.code != exitOK {
		t.Fatal(got.text)
	}
	var table strings.Builder
	for i, m := range moments() {
		t.Run(m.String(), func(t *testing.T) {
			before, killed, after := killAt(t, m, i)
			fmt.Fprintf(&table, "%2d  %-40s before %v, after the kill %v, after the next run %v\n", i+1, m, before, killed, after)
			if before != after {
				t.Errorf("before %v, after %v", before, after)
			}
		})
	}
	t.Logf("mounts/containers/namespaces/temporary files/processes:\n%s", table.String())
}

// killAt changes the service that the moment is in, kills a run of all three up
// to the stage that the moment is in, and runs again.
func killAt(t *testing.T, m moment, round int) (before, killed, after inventory) {
	t.Helper()
	c, tmp := copyOf(t, shop), t.TempDir()
	service, stage, _ := strings.Cut(m.node, "/")
	c.env = append(c.env, "TMPDIR="+tmp)
	c.edit(t, service+"/cmd/"+service+"/main.go", "", fmt.Sprintf("\n// round %d\nconst round = %d\n\nvar _ = round\n", round, round))
	before = c.takeStock(t, tmp)
	stages := []string{"build", "container", stage}
	cmd, run := c.interrupt(t, syscall.SIGKILL, m.reached, stages...)
	if cmd.ProcessState.ExitCode() != -1 {
		t.Fatal("the run ended before it could be killed")
	}
	killed = c.takeStock(t, tmp)
	got := c.run(t, stages...)
	if got.code != exitOK {
		t.Fatalf("the run after the kill:\n%s", got.text)
	}
	if !strings.Contains(got.text, run) {
		t.Errorf("the run after the kill does not say that it freed what %s left:\n%s", run, got.text)
	}
	c.checkState(t)
	return before, killed, c.takeStock(t, tmp)
}

// TestEightRunsAtOnce runs the same commit in three checkouts, others beside it,
// and two of them twice in one checkout, all in one cluster.
func TestEightRunsAtOnce(t *testing.T) {
	var checkouts []*checkout
	for i := range 6 {
		c := copyOf(t, "testdata/tiny")
		if i >= 3 {
			c.edit(t, "handler.go", "return 2 * n", fmt.Sprintf("return n + n + 0*%d", i))
		}
		checkouts = append(checkouts, c)
	}
	checkouts = append(checkouts, checkouts[0], checkouts[3])
	outcomes := make([]outcome, len(checkouts))
	var wg sync.WaitGroup
	for i, c := range checkouts {
		wg.Go(func() { outcomes[i] = c.run(t, "module", "integration", "--force") })
	}
	wg.Wait()
	for i, got := range outcomes {
		if got.code != exitOK || !strings.Contains(got.text, "integration  passed") {
			t.Errorf("run %d: exit code %d\n%s", i, got.code, got.text)
		}
	}
	for i, c := range checkouts[:6] {
		if left := c.takeStock(t, t.TempDir()); left != (inventory{}) {
			t.Errorf("checkout %d: left %+v", i, left)
		}
		c.checkState(t)
	}
}
