package bench

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/gotool/gotooltest"
)

const module = `
-- go.mod --
module example.com/svc

go 1.24
-- a/a_test.go --
package a

import "testing"

func BenchmarkA(b *testing.B) {
	b.Run("sub", func(b *testing.B) {
		for b.Loop() {
		}
	})
}
-- b/b_test.go --
package b

import "testing"

func TestB(t *testing.T) { t.Fatal("not a benchmark") }
`

func run(t *testing.T, dir string) (*pipeline.Job, error) {
	t.Helper()
	gotooltest.NeedGo(t)
	job, _ := gotooltest.NewJob(t, "bench", dir)
	service := config.Service{Stages: map[string]config.Stage{"bench": {Count: 2, BenchTime: "1x"}}}
	return job, New(Options{Service: service, Sources: source.Open(dir)}).Run(t.Context(), job)
}

func TestBenchmarks(t *testing.T) {
	t.Parallel()
	job, err := run(t, gotooltest.Write(t, t.TempDir(), module))
	if err != nil {
		t.Fatal(err)
	}
	list := job.Findings.Benchmarks
	if len(list) != 2 || job.Findings.Summary != "1 benchmark" {
		t.Fatalf("%q: %+v", job.Findings.Summary, list)
	}
	if b := list[0]; b.Package != "example.com/svc/a" || !strings.HasPrefix(b.Name, "A/sub") || b.N != 1 || len(b.Values) != 3 {
		t.Errorf("%+v", b)
	}
}

func TestRed(t *testing.T) {
	t.Parallel()
	_, err := run(t, gotooltest.Write(t, gotooltest.Write(t, t.TempDir(), module),
		"-- c/c_test.go --\npackage c\n\nimport \"testing\"\n\nfunc BenchmarkC(b *testing.B) {\n\tb.Fatal(\"broken\")\n}\n"))
	var f *pipeline.Failure
	if !errors.As(err, &f) {
		t.Fatalf("error %v is no Failure", err)
	}
	gotooltest.Contains(t, f.Cause, "--- FAIL: BenchmarkC", "c_test.go:6: broken")
}

func TestNone(t *testing.T) {
	t.Parallel()
	_, err := run(t, gotooltest.Write(t, t.TempDir(), "-- go.mod --\nmodule m\n-- a.go --\npackage m\n"))
	var n *pipeline.NotApplicable
	if !errors.As(err, &n) {
		t.Fatalf("error %v is no NotApplicable", err)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	const out = `goos: linux
pkg: example.com/a
cpu: any
BenchmarkX-8   	 1000	       12.5 ns/op	       0 B/op	       3 things
BenchmarkX-8
BenchmarkBroken 10 x ns/op
Benchmarking is fun 1 2
--- BENCH: BenchmarkX
PASS
pkg: example.com/b
BenchmarkY 	 1	 7 ns/op
`
	want := []pipeline.Benchmark{
		{Package: "example.com/a", Name: "X-8", N: 1000, Values: map[string]float64{"ns/op": 12.5, "B/op": 0, "things": 3}},
		{Package: "example.com/b", Name: "Y", N: 1, Values: map[string]float64{"ns/op": 7}},
	}
	if diff := cmp.Diff(want, Parse(strings.NewReader(out))); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("pkg: a\nBenchmarkX-8 1000 12.5 ns/op 0 B/op\n")
	f.Add("BenchmarkX 1 NaN ns/op\nBenchmark 1 2 3 4\n")
	f.Fuzz(func(t *testing.T, out string) {
		for _, b := range Parse(strings.NewReader(out)) {
			if b.Name == "" || b.N < 1 || len(b.Values) == 0 {
				t.Errorf("%+v", b)
			}
		}
	})
}
