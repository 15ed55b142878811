package report

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// system is a run of three services with all that a page can show, and with
// logs on disk.
func system(t testing.TB) Run {
	t.Helper()
	run := Run{
		ID: "20261121-100000-ab12", Version: "1.4.0", Started: moment(0), Duration: 94*time.Second + 310*time.Millisecond,
		Status: "failed", Project: t.TempDir(),
		Stages: []Stage{
			{Kind: "build", Status: pipeline.Passed, UpToDate: true, Started: moment(0.02), Duration: 12 * time.Millisecond, Message: "linux/amd64, linux/arm64"},
			unitStage(), lintStage(), containerStage(), moduleStage(), integrationStage(),
		},
	}
	for i := range run.Stages {
		run.Stages[i].Service = "stock"
	}
	run.Stages = append(run.Stages, cartStages()...)
	run.Stages = append(run.Stages,
		Stage{Service: "web", Kind: "build", Status: pipeline.Failed, Started: moment(0.1), Duration: 2600 * time.Millisecond, Message: "go build: exit code 1",
			Cause: "# example.com/web/page\npage/cart.go:41:17: undefined: cart.Total\npage/cart.go:58:2: declared and not used: sum"},
		Stage{Service: "web", Kind: "unit", Status: pipeline.Skipped, Started: moment(2.7), Message: "because web/build is failed"},
		Stage{Service: "web", Kind: "container", Status: pipeline.Skipped, Started: moment(2.7), Message: "because web/build is failed"},
		Stage{Service: "web", Kind: "integration", Status: pipeline.Cancelled, Started: moment(61), Duration: 9 * time.Second, Message: "cancelled"},
	)
	for i := range run.Stages {
		s := &run.Stages[i]
		s.Root = "services/" + s.Service
		if s.ran() {
			s.Log = writeLog(t, run.Project, *s)
		}
	}
	return run
}

// moment is a time in seconds after the beginning of the run.
func moment(seconds float64) time.Time {
	return time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

func writeLog(t testing.TB, project string, s Stage) string {
	t.Helper()
	name := filepath.Join(project, ".pipeline", "runs", "x", s.Service, s.Kind+".log")
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("$ go run ./%s\n\x1b[32mok\x1b[0m  \texample.com/%s\t0.41s\n10 %%\r100 %%\n", s.Kind, s.Service)
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func phase(name string, start, took float64) pipeline.Phase {
	return pipeline.Phase{Name: name, Start: time.Duration(start * float64(time.Second)), Took: time.Duration(took * float64(time.Second))}
}

func unitStage() Stage {
	f := &pipeline.Findings{
		Phases: []pipeline.Phase{phase("compile", 0, 6.2), phase("tests", 6.2, 11.5), phase("coverage", 17.7, 0.4)},
		Coverage: &pipeline.Coverage{Statements: 412, Covered: 341, Files: []pipeline.FileCoverage{
			{Path: "sell.go", Package: "example.com/stock", Statements: 96, Covered: 90, Blocks: []pipeline.CoverageBlock{{From: 10, To: 40, Statements: 90, Hits: 3}, {From: 41, To: 44, Statements: 6}, {From: 50, To: 50}}},
			{Path: "store/disk.go", Package: "example.com/stock/store", Statements: 210, Covered: 148, Blocks: []pipeline.CoverageBlock{{From: 1, To: 9, Statements: 62}}},
			{Path: "store/memory.go", Package: "example.com/stock/store", Statements: 106, Covered: 103},
			{Path: "doc.go", Package: "example.com/stock/empty"},
		}},
	}
	for i := range 24 {
		f.Tests = append(f.Tests, pipeline.Test{Package: "example.com/stock", Name: fmt.Sprintf("TestPrice/case_%02d", i), Status: pipeline.TestPassed, Time: time.Duration(i*130) * time.Microsecond})
	}
	f.Tests = append(f.Tests,
		pipeline.Test{Package: "example.com/stock/store", Name: "TestDisk", Status: pipeline.TestSkipped, Output: "disk_test.go:18: needs a disk that can be filled"},
		pipeline.Test{Package: "example.com/stock/store", Name: "TestReserve", Status: pipeline.TestFailed, Time: 1480 * time.Millisecond, File: "store/disk_test.go", Line: 71, Output: "=== RUN   TestReserve\n    disk_test.go:88: (-want +got):\n        - \t\"apple\": 3,\n        + \t\"apple\": 2,\n--- FAIL: TestReserve (1.48s)"},
		pipeline.Test{Package: "example.com/stock/store", Name: "TestReserve/twice", Status: pipeline.TestFailed, Time: 720 * time.Millisecond, Output: "    --- FAIL: TestReserve/twice (0.72s)"},
		pipeline.Test{Package: "example.com/stock/store", Name: "TestMemory", Status: pipeline.TestPassed, Time: 4 * time.Millisecond},
	)
	return Stage{
		Kind: "unit", Status: pipeline.Failed, Started: moment(0.1), Duration: 18100 * time.Millisecond, Message: "2 of 28 tests failed, coverage 82.8 %",
		Cause: "--- FAIL: TestReserve (1.48s)\n    disk_test.go:88: (-want +got):\n        - \t\"apple\": 3,\n        + \t\"apple\": 2,", Findings: f,
	}
}

func lintStage() Stage {
	return Stage{
		Kind: "lint", Status: pipeline.Waived, Started: moment(0.2), Duration: 7400 * time.Millisecond,
		Message: "2 issues (waived until 2026-12-31: the store is rewritten)", Cause: "store/disk.go:12:3: this value of err is never used",
		Findings: &pipeline.Findings{Issues: []pipeline.Issue{
			{Path: "store/disk.go", Line: 12, Column: 3, Check: "SA4006", Severity: "major", Message: "this value of err is never used"},
			{Path: "sell.go", Line: 140, Column: 11, Check: "vet/printf", Severity: "critical", Message: "fmt.Sprintf format %d has arg name of wrong type string"},
		}},
	}
}

func containerStage() Stage {
	digest := func(n int) string { return fmt.Sprintf("sha256:%064x", n*0x1e3779b97f4a7c) }
	f := &pipeline.Findings{
		Facts:  map[string]string{"bundle": digest(7), "image size": "28114733", "base": "registry.example.com/base/static@" + digest(8)},
		Phases: []pipeline.Phase{phase("base", 0, 1.3), phase("amd64", 1.3, 2.2), phase("arm64", 1.4, 2.6), phase("chart", 4, 0.3)},
	}
	for i, platform := range []string{"linux/amd64", "linux/arm64"} {
		f.Layers = append(f.Layers,
			pipeline.Layer{Name: "base", Platform: platform, Digest: digest(10 * (i + 1)), Size: 2_411_700},
			pipeline.Layer{Name: "files", Platform: platform, Digest: digest(10*(i+1) + 1), Size: 811_200},
			pipeline.Layer{Name: "program", Platform: platform, Digest: digest(10*(i+1) + 2), Size: 9_900_112 + int64(i)*300_000},
		)
	}
	return Stage{Kind: "container", Status: pipeline.Passed, Started: moment(18.3), Duration: 4400 * time.Millisecond, Message: "sha256:9e3779b97f4a, 28.1 MB, 2 platforms", Findings: f}
}

func moduleStage() Stage {
	return Stage{
		Kind: "module", Status: pipeline.Untested, Started: moment(22.8), Duration: 1200 * time.Millisecond,
		Message: "no runtime for the image: neither sandbox nor docker nor podman; install podman, or run as root", Cause: "docker: connect to /var/run/docker.sock: no such file or directory",
	}
}

func integrationStage() Stage {
	f := &pipeline.Findings{
		Facts:  map[string]string{"kubernetes": "v1.37.0"},
		Phases: []pipeline.Phase{phase("cluster", 0, 21), phase("load image", 21, 6.5), phase("install", 27.5, 4), phase("ready", 31.5, 12.8), phase("tests", 44.3, 23)},
		Tests: []pipeline.Test{
			{Package: "example.com/stock/integration", Name: "TestSellOverGRPC", Status: pipeline.TestPassed, Time: 3200 * time.Millisecond},
			{Package: "example.com/stock/integration", Name: "TestRestartKeepsStock", Status: pipeline.TestPassed, Time: 19 * time.Second},
		},
	}
	for i, e := range []pipeline.ClusterEvent{
		{Type: "Normal", Object: "pod/stock-6d5f9c-x2x7k", Reason: "Scheduled", Message: "Successfully assigned pl-ab12/stock-6d5f9c-x2x7k to pipeline-control-plane"},
		{Type: "Normal", Object: "pod/stock-6d5f9c-x2x7k", Reason: "Pulled", Message: "Container image already present on machine"},
		{Type: "Warning", Object: "pod/stock-6d5f9c-x2x7k", Reason: "Unhealthy", Message: "Readiness probe failed: dial tcp 10.244.0.12:8080: connect: connection refused", Count: 4},
		{Type: "Normal", Object: "deployment/stock", Reason: "ScalingReplicaSet", Message: "Scaled up replica set stock-6d5f9c from 0 to 1"},
	} {
		e.Time = moment(50 + 1.5*float64(i))
		f.Events = append(f.Events, e)
	}
	return Stage{Kind: "integration", Status: pipeline.Passed, Started: moment(24.1), Duration: 70200 * time.Millisecond, Message: "2 tests in Kubernetes v1.37.0", Findings: f}
}

func cartStages() []Stage {
	return []Stage{
		{Service: "cart", Kind: "build", Status: pipeline.Passed, Started: moment(0.1), Duration: 5300 * time.Millisecond, Message: "linux/amd64, linux/arm64"},
		{Service: "cart", Kind: "unit", Status: pipeline.Passed, UpToDate: true, Started: moment(0.1), Message: "31 tests, coverage 91.0 %", Findings: &pipeline.Findings{
			Coverage: &pipeline.Coverage{Statements: 200, Covered: 182, Files: []pipeline.FileCoverage{{Path: "cart.go", Package: "example.com/cart", Statements: 200, Covered: 182}}},
		}},
		{Service: "cart", Kind: "bench", Status: pipeline.Passed, Started: moment(5.5), Duration: 14800 * time.Millisecond, Message: "2 benchmarks", Findings: &pipeline.Findings{Benchmarks: []pipeline.Benchmark{
			{Package: "example.com/cart", Name: "BenchmarkAdd-8", N: 1000000, Values: map[string]float64{"allocs/op": 2, "ns/op": 1043.5, "B/op": 64}},
			{Package: "example.com/cart/store", Name: "BenchmarkPut-8", N: 100, Values: map[string]float64{"ns/op": 2143877, "MB/s": 48.25}},
		}}},
		{Service: "cart", Kind: "container", Status: pipeline.Inapplicable, Message: "a library"},
	}
}
