package unit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/gotool/gotooltest"
)

// again runs the stage with the cache of another job, and returns what the go
// command was asked to look at too.
func again(t *testing.T, dir string, earlier *pipeline.Job) (job *pipeline.Job, asked string) {
	t.Helper()
	job, log := gotooltest.NewJob(t, "unit", dir)
	if earlier != nil {
		job.Cache = earlier.Cache
	}
	service := config.Service{Name: "svc", Dir: dir}
	if err := New(Options{Service: service, Sources: source.Open(dir)}).Run(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	asked, _, _ = strings.Cut(log.String(), "\n")
	return job, asked
}

// profile returns a job's profile.
func profile(t *testing.T, job *pipeline.Job) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(job.Out, ProfileFile))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestStatementsOfPackagesWithoutTestsAreCountedOnce(t *testing.T) {
	t.Parallel()
	gotooltest.NeedGo(t)
	dir := gotooltest.Write(t, t.TempDir(), module)
	first, asked := again(t, dir, nil)
	gotooltest.Contains(t, asked, "./a ./b")
	second, asked := again(t, dir, first)
	if !strings.HasSuffix(asked, " ./a") {
		t.Errorf("b is counted again: %s", asked)
	}
	if a, b := profile(t, first), profile(t, second); string(a) != string(b) {
		t.Errorf("first\n%s\nthen\n%s", a, b)
	}
	if a, b := first.Findings.Summary, second.Findings.Summary; a != b {
		t.Errorf("first %q, then %q", a, b)
	}

	gotooltest.Write(t, dir, "-- b/more.go --\npackage b\n\nfunc More() int { return 2 }\n")
	third, asked := again(t, dir, second)
	gotooltest.Contains(t, asked, "./a ./b")
	gotooltest.Contains(t, string(profile(t, third)), "example.com/svc/b/more.go:3.17,3.29 1 0")

	gotooltest.Write(t, dir, "-- b/b_test.go --\npackage b\n\nimport \"testing\"\n\nfunc TestMore(t *testing.T) { More() }\n")
	fourth, _ := again(t, dir, third)
	gotooltest.Contains(t, string(profile(t, fourth)), "example.com/svc/b/more.go:3.17,3.29 1 1")
}

func TestWithoutAnyTestLeftTheStageIsRed(t *testing.T) {
	t.Parallel()
	gotooltest.NeedGo(t)
	dir := gotooltest.Write(t, t.TempDir(), module)
	first, _ := again(t, dir, nil)
	if err := os.Remove(filepath.Join(dir, "a", "a_test.go")); err != nil {
		t.Fatal(err)
	}
	job, _ := gotooltest.NewJob(t, "unit", dir)
	job.Cache = first.Cache
	err := New(Options{Service: config.Service{Name: "svc", Dir: dir}, Sources: source.Open(dir)}).Run(t.Context(), job)
	if err == nil || !strings.Contains(err.Error(), "no unit test was executed") {
		t.Errorf("got %v", err)
	}
}
