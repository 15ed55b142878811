package gotest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/gotest"
	"gitlab.com/selfcontained/pipeline/stages/gotool/gotooltest"
)

const tagged = `-- go.mod --
module example.com/svc

go 1.24
-- test/untagged_test.go --
package test

import "testing"

func TestUntagged(t *testing.T) { t.Error("not asked for") }
-- test/slow/slow_test.go --
//go:build slow

package slow

import (
	"os"
	"testing"
)

func TestHere(t *testing.T) {
	if _, err := os.Stat("slow_test.go"); err != nil {
		t.Error(err)
	}
}

func TestAsked(t *testing.T) {
	t.Run("sub", func(t *testing.T) {
		if os.Getenv("ANSWER") != "42" {
			t.Errorf("the answer is %q", os.Getenv("ANSWER"))
		}
	})
}

func TestLater(t *testing.T) { t.Skip("later") }
`

// outcomes lists the tests with their status.
func outcomes(r *gotest.Result) (list []string) {
	for _, t := range r.Tests {
		list = append(list, t.Name+" "+string(t.Status))
	}
	return list
}

func runTagged(t *testing.T, job *pipeline.Job, dir, answer string) *gotest.Result {
	t.Helper()
	wait := gotest.CompileAside(t.Context(), job, dir, "slow")
	r, err := wait().Run(t.Context(), job, gotest.Options{
		Args: []string{"-tags=slow"}, Packages: []string{"./test/slow"}, Run: "^(TestHere|TestAsked|TestLater)$", Env: []string{"ANSWER=" + answer},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestBinariesDoWhatGoTestDoes(t *testing.T) {
	t.Parallel()
	gotooltest.NeedGo(t)
	dir := gotooltest.Write(t, t.TempDir(), tagged)
	job, _ := gotooltest.NewJob(t, "slow", dir)
	want := []string{"TestHere passed", "TestAsked passed", "TestAsked/sub passed", "TestLater skipped"}
	if diff := cmp.Diff(want, outcomes(runTagged(t, job, dir, "42"))); diff != "" {
		t.Errorf("green (-want +got):\n%s", diff)
	}
	r := runTagged(t, job, dir, "41")
	want = []string{"TestHere passed", "TestAsked failed", "TestAsked/sub failed", "TestLater skipped"}
	if diff := cmp.Diff(want, outcomes(r)); diff != "" {
		t.Errorf("red (-want +got):\n%s", diff)
	}
	f := r.Failure()
	gotooltest.Contains(t, f.Summary, "2 of 3 tests failed")
	gotooltest.Contains(t, f.Cause, "FAIL example.com/svc/test/slow TestAsked/sub (test/slow/slow_test.go:19)", `the answer is "41"`)
}

func TestBinariesFollowTheirSources(t *testing.T) {
	t.Parallel()
	gotooltest.NeedGo(t)
	dir := gotooltest.Write(t, t.TempDir(), tagged)
	job, _ := gotooltest.NewJob(t, "slow", dir)
	if r := runTagged(t, job, dir, "42"); r.Failed != 0 {
		t.Fatalf("%q", outcomes(r))
	}
	gotooltest.Write(t, dir, strings.ReplaceAll(tagged, `"42"`, `"43"`))
	if r := runTagged(t, job, dir, "43"); r.Failed != 0 {
		t.Errorf("the test that runs is an old one: %q", outcomes(r))
	}
	if names, err := filepath.Glob(filepath.Join(job.Cache, "*.test")); err != nil || len(names) != 1 {
		t.Errorf("%q, %v: want one binary", names, err)
	}
}

// Where the converter was last time may be nowhere now: Go cleans its cache.
func TestBinariesFindTheConverterAgain(t *testing.T) {
	t.Parallel()
	gotooltest.NeedGo(t)
	dir := gotooltest.Write(t, t.TempDir(), tagged)
	job, log := gotooltest.NewJob(t, "slow", dir)
	runTagged(t, job, dir, "42")
	note := filepath.Join(job.Cache, "test2json")
	known, err := os.ReadFile(note)
	if err != nil {
		t.Fatal(err)
	}
	version, path, _ := strings.Cut(string(known), "\n")
	gotooltest.Contains(t, log.String(), path+" -t -p")
	if err := os.WriteFile(note, []byte(version+"\n"+filepath.Join(dir, "gone")), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := runTagged(t, job, dir, "42"); r.Failed != 0 || len(r.Tests) != 4 {
		t.Errorf("%q", outcomes(r))
	}
	if again, err := os.ReadFile(note); err != nil || string(again) != string(known) {
		t.Errorf("noted %q, %v; want %q", again, err, known)
	}
}

func TestBinariesThatDoNotCompileLeaveItToGoTestToSayWhy(t *testing.T) {
	t.Parallel()
	gotooltest.NeedGo(t)
	dir := gotooltest.Write(t, gotooltest.Write(t, t.TempDir(), tagged), "-- test/slow/bad_test.go --\n//go:build slow\n\npackage slow\n\nvar x = nope\n")
	job, _ := gotooltest.NewJob(t, "slow", dir)
	f := runTagged(t, job, dir, "42").Failure()
	if f == nil {
		t.Fatal("no failure")
	}
	gotooltest.Contains(t, f.Summary, "does not compile")
	gotooltest.Contains(t, f.Cause, "test/slow/bad_test.go:5:9: undefined: nope")
}

func TestNothingToCompileIsLeftToGoTest(t *testing.T) {
	t.Parallel()
	gotooltest.NeedGo(t)
	dir := gotooltest.Write(t, t.TempDir(), "-- go.mod --\nmodule example.com/svc\n\ngo 1.24\n")
	job, _ := gotooltest.NewJob(t, "slow", dir)
	if b := gotest.CompileAside(t.Context(), job, dir, "slow")(); b != nil {
		t.Errorf("%+v", b)
	}
}
