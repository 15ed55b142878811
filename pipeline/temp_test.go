package pipeline

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// newTemps gives each test a TMPDIR of its own; it cannot be parallel then.
func newTemps(t *testing.T) (*Checkout, *runDir) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	c := OpenCheckout(t.TempDir())
	run, err := c.newRun(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return c, run
}

func TestANodeHasTheSameTemporaryFolderInEachRun(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var seen []string
	node := Node{Name: "a/x", Service: "a", Kind: "x", Stage: stageFunc(func(_ context.Context, job *Job) error {
		entries, err := os.ReadDir(job.Temp)
		if err != nil || len(entries) > 0 {
			t.Errorf("the folder at the start: %v, %v", entries, err)
		}
		seen = append(seen, job.Temp)
		return os.WriteFile(filepath.Join(job.Temp, "left"), nil, 0o600)
	})}
	w := newBench(t, node)
	for range 2 {
		if rec := w.run(t); rec.Status != Passed {
			t.Fatalf("%+v", rec)
		}
		if _, err := os.Stat(seen[0]); !os.IsNotExist(err) {
			t.Errorf("after the run: %v", err)
		}
	}
	if len(seen) != 2 || seen[0] != seen[1] || filepath.Dir(seen[0]) != os.TempDir() {
		t.Errorf("folders %q, want one of %s twice", seen, os.TempDir())
	}
}

func TestTemporaryFilesOfADeadRunAreFreed(t *testing.T) {
	c, run := newTemps(t)
	dir, err := c.takeTemp(run, "a/x")
	if err != nil {
		t.Fatal(err)
	}
	run.lock.release()
	busy, err := tryLock(c.lockFile("a/x")) // another run works on the node
	if err != nil {
		t.Fatal(err)
	}
	if err := c.freeTemps(run); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("the folder of a run that is alive: %v", err)
	}
	busy.release()
	if _, err := c.Bury(run.id); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("after the burial: %v", err)
	}
}

func TestAListFreesNothingButFoldersOfNodes(t *testing.T) {
	c, run := newTemps(t)
	precious := filepath.Join(t.TempDir(), "pipeline-sources")
	if err := mkdirs(precious); err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"a/x " + precious + "\n", "a/x " + precious, precious, "a/x", "\n"} {
		if err := os.WriteFile(filepath.Join(run.dir, tempList), []byte(list), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := c.freeTemps(run); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(precious); err != nil {
			t.Errorf("after %q: %v", list, err)
		}
	}
}

func TestAFolderThatCannotBeMadeSaysWhatToDo(t *testing.T) {
	c, run := newTemps(t)
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "nowhere"))
	if _, err := c.takeTemp(run, "a/x"); err == nil || !strings.Contains(err.Error(), "set TMPDIR") {
		t.Errorf("got %v, want what to do", err)
	}
}

func TestRunsSortByTheirBeginning(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 15, 4, 5, 0, time.UTC)
	ids := []string{
		"20261122-150405-ff0000", // as they were before milliseconds
		runID(at.Add(7*time.Millisecond), []byte{0xff, 0, 0}),
		runID(at.Add(80*time.Millisecond), []byte{1, 2, 3}),
		runID(at.Add(time.Second), []byte{0, 0, 0}),
	}
	if !slices.IsSorted(ids) || ids[1] != "20261122-150405007-ff0000" {
		t.Errorf("%q", ids)
	}
}
