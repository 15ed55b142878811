package system

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/gotool/gotooltest"
)

func TestSuiteHasTaggedAndUntaggedTests(t *testing.T) {
	t.Parallel()
	dir := gotooltest.Write(t, t.TempDir(), module+
		"-- other/other_test.go --\n//go:build integration\n\npackage other\n\nimport \"testing\"\n\nfunc TestOther(t *testing.T) {}\n"+
		"-- helper/helper_test.go --\npackage helper\n")
	got, err := testPackages(dir)
	if diff := cmp.Diff([]string{".", "./tagged"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// runSuite runs the tests of a module as the stage does once the system is
// ready.
func runSuite(t *testing.T, dir, shared string, env ...string) (*pipeline.Job, string, error) {
	t.Helper()
	job, _ := gotooltest.NewJob(t, Kind, dir)
	s := New(Options{System: "shop", Dir: dir, Cache: shared, Timeout: time.Minute})
	suite, err := s.openSuite(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	defer suite.settle()
	summary, err := suite.run(t.Context(), job, env)
	return job, summary, err
}

const asking = `-- go.mod --
module example.com/suite

go 1.24
-- a/a_test.go --
//go:build acceptance

package a

import (
	"os"
	"testing"
)

func TestAnswer(t *testing.T) {
	if os.Getenv("ANSWER") == "skip" {
		t.Skip()
	}
	t.Run("empty", func(t *testing.T) {
		if os.Getenv("ANSWER") == "" {
			t.Error("there is no answer")
		}
	})
	t.Run("right", func(t *testing.T) {
		if os.Getenv("ANSWER") != "42" {
			t.Error("the answer is wrong")
		}
	})
}
`

func TestSuiteVerdicts(t *testing.T) {
	t.Parallel()
	gotooltest.NeedGo(t)
	dir, shared := gotooltest.Write(t, t.TempDir(), asking), t.TempDir()
	broken := gotooltest.Write(t, t.TempDir(), "-- go.mod --\nmodule example.com/suite\n\ngo 1.24\n-- a_test.go --\npackage a\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) { none() }\n")
	var failure, notTested = new(*pipeline.Failure), new(*pipeline.NotTested)
	for name, c := range map[string]struct {
		dir, answer string
		target      any // nil: green
		text        string
	}{
		"green":        {dir, "42", nil, "3 tests"},
		"wrong":        {dir, "41", failure, "2 of 3 tests failed: TestAnswer/right"},
		"empty":        {dir, "", failure, "3 of 3 tests failed: TestAnswer/empty, TestAnswer/right"},
		"all skipped":  {dir, "skip", notTested, "no acceptance test was executed (1 skipped)"},
		"not compiled": {broken, "42", notTested, "the acceptance tests do not compile: does not compile: example.com/suite;     ./a_test.go:5"},
	} {
		cache := shared
		if c.dir == broken {
			cache = ""
		}
		job, summary, err := runSuite(t, c.dir, cache, "ANSWER="+c.answer)
		if c.target == nil {
			if err != nil || summary != c.text || len(job.Findings.Tests) != 3 {
				t.Errorf("%s: %q, %v", name, summary, err)
			}
		} else if !errors.As(err, c.target) || !strings.HasPrefix(err.Error(), c.text) {
			t.Errorf("%s: %T %v", name, err, err)
		}
	}
}

func TestManyFailuresAreCounted(t *testing.T) {
	t.Parallel()
	failed := func(names ...string) (tests []pipeline.Test) {
		for _, n := range names {
			tests = append(tests, pipeline.Test{Package: "p", Name: n, Status: pipeline.TestFailed})
		}
		return tests
	}
	for want, tests := range map[string][]pipeline.Test{
		"":                     append(failed("(package)"), pipeline.Test{Package: "p", Name: "TestA", Status: pipeline.TestPassed}),
		": TestA":              failed("TestA"),
		": TestA/x":            failed("TestA", "TestA/x"),
		": TestA, TestAB":      failed("TestA", "TestAB"),
		": A, B, C and 2 more": failed("A", "B", "C", "D", "E"),
	} {
		if got := named(tests); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// recordingGo puts a go command into PATH that writes down with what it is
// called. It is no Go itself: version and work are those of the real one.
func recordingGo(t *testing.T) (calls func() string) {
	t.Helper()
	gotooltest.NeedGo(t)
	real, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	if real, err = filepath.EvalSymlinks(real); err != nil {
		t.Fatal(err)
	}
	root, log := t.TempDir(), filepath.Join(t.TempDir(), "calls")
	version, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(real)), "VERSION"))
	if err != nil {
		t.Fatal(err)
	}
	gotooltest.Write(t, root, "-- VERSION --\n"+string(version)+"-- bin/go --\n#!/bin/sh\necho \"$*\" >>"+log+"\nexec "+real+" \"$@\"\n")
	if err := os.Chmod(filepath.Join(root, "bin", "go"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Join(root, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	return func() string { data, _ := os.ReadFile(log); return string(data) }
}

// TestSuiteIsLinkedOnce is about what a search does: many combinations, two at
// a time, each in a checkout of its own.
func TestSuiteIsLinkedOnce(t *testing.T) {
	calls := recordingGo(t)
	dir, shared := gotooltest.Write(t, t.TempDir(), asking+"-- b/b_test.go --\npackage b\n\nimport \"testing\"\n\nfunc TestB(t *testing.T) {}\n"), filepath.Join(t.TempDir(), "suite")
	green := func() {
		if _, summary, err := runSuite(t, dir, shared, "ANSWER=42"); err != nil || summary != "4 tests" {
			t.Errorf("%q, %v", summary, err)
		}
	}
	var both sync.WaitGroup
	both.Go(green)
	both.Go(green)
	both.Wait()
	green()
	if n := strings.Count(calls(), "test -c "); n != 2 {
		t.Errorf("two packages were linked %d times:\n%s", n, calls())
	}
	// Other tests in the same folder are noticed.
	gotooltest.Write(t, dir, "-- b/b_test.go --\npackage b\n\nimport \"testing\"\n\nfunc TestB(t *testing.T) { t.Error(\"changed\") }\n")
	if _, _, err := runSuite(t, dir, shared, "ANSWER=42"); err == nil || err.Error() != "1 of 4 tests failed: TestB" {
		t.Errorf("after a change: %v", err)
	}
	if n := strings.Count(calls(), "test -c "); n != 3 {
		t.Errorf("after a change of one package there are %d links:\n%s", n, calls())
	}
}

func TestWhoWaitsForTheBinariesCanBeCancelled(t *testing.T) {
	t.Parallel()
	shared := t.TempDir()
	unlock, err := lock(t.Context(), filepath.Join(shared, ".lock"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := exchange(ctx, shared, t.TempDir(), func() { t.Error("somebody else has the lock") }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	unlock()
	called := false
	if err := exchange(t.Context(), shared, t.TempDir(), func() { called = true }); err != nil || !called {
		t.Errorf("with the lock free: %v, called %v", err, called)
	}
}

// TestBinariesOfOthersAreNotTouched: what is executed is a file of its own.
func TestBinariesOfOthersAreNotTouched(t *testing.T) {
	t.Parallel()
	shared, one, two := t.TempDir(), t.TempDir(), t.TempDir()
	write := func(dir, text string) {
		if err := os.WriteFile(filepath.Join(dir, "a.test"), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	read := func(dir string) string { data, _ := os.ReadFile(filepath.Join(dir, "a.test")); return string(data) }
	if err := exchange(t.Context(), shared, one, func() { write(one, "first") }); err != nil {
		t.Fatal(err)
	}
	executing, err := os.Open(filepath.Join(shared, "a.test"))
	if err != nil {
		t.Fatal(err)
	}
	defer executing.Close()
	if err := exchange(t.Context(), shared, two, func() {
		if read(two) != "first" {
			t.Errorf("what is there was not handed on: %q", read(two))
		}
		write(two, "second one")
	}); err != nil {
		t.Fatal(err)
	}
	if read(one) != "first" || read(two) != "second one" || read(shared) != "second one" {
		t.Errorf("one %q, two %q, shared %q", read(one), read(two), read(shared))
	}
	old := make([]byte, 16)
	if n, _ := executing.Read(old); string(old[:n]) != "first" {
		t.Errorf("a file that is in use was changed to %q", old[:n])
	}
}

func TestCommandInsteadOfGoTests(t *testing.T) {
	t.Parallel()
	var failure, notTested = new(*pipeline.Failure), new(*pipeline.NotTested)
	for name, c := range map[string]struct {
		argv   []string
		target any
		text   string
		tests  int
	}{
		"green":   {[]string{"sh", "-c", `test "$ANSWER" = 42`}, nil, `passed`, 1},
		"red":     {[]string{"sh", "-c", "echo no such article; exit 3"}, failure, "exit status 3", 1},
		"missing": {[]string{"no-such-program"}, notTested, "no-such-program", 0},
		"killed":  {[]string{"sh", "-c", "kill -9 $$"}, notTested, "did not come to an end", 0},
	} {
		job, _ := gotooltest.NewJob(t, Kind, t.TempDir())
		summary, err := commandSuite{job.Dir, c.argv}.run(t.Context(), job, []string{"ANSWER=42"})
		switch {
		case c.target == nil && (err != nil || !strings.HasSuffix(summary, c.text)):
			t.Errorf("%s: %q, %v", name, summary, err)
		case c.target != nil && (!errors.As(err, c.target) || !strings.Contains(err.Error(), c.text)):
			t.Errorf("%s: %T %v", name, err, err)
		}
		if len(job.Findings.Tests) != c.tests {
			t.Errorf("%s: tests %v", name, job.Findings.Tests)
		}
	}
	if got := (*failure).Cause; got != "no such article" {
		t.Errorf("the cause is %q", got)
	}
}

func TestLateTestsAreNamed(t *testing.T) {
	t.Parallel()
	hung := &pipeline.Failure{Summary: "1 of 2 tests failed", Cause: "DID NOT END example.com/suite TestSlow"}
	var failure *pipeline.Failure
	if err := late(hung, time.Minute); !errors.As(err, &failure) || failure.Summary != "the acceptance tests were not done after 1m0s" || failure.Cause != hung.Cause {
		t.Errorf("%+v", err)
	}
	if err := late(context.DeadlineExceeded, time.Minute); !errors.As(err, &failure) || failure.Cause != "" {
		t.Errorf("%+v", err)
	}
}
