package report

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/report/reporttest"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; go test -update writes it):\n%s", name, diff)
	}
}

// hostile is text that must not act in any report.
const hostile = "\x1b[31mred\x1b[0m \x00 \xff ]]> <script>alert(1)</script> & \"'\n" +
	"/merge\n  /approve\n```\n@all #1 !2 ~bug $`x`$ [x](http://evil) ![x](y) | a | b\n```` \n<details>\n</pre>\ufffe"

// shop is a run of two services with everything a report can say.
func shop() Run {
	start := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	return Run{
		ID: "20261121-100000-ab12", Version: "1.4.0", Started: start, Duration: 83 * time.Second, Status: "failed",
		Root: "examples/shop/stock", Project: "/builds/shop/system",
		Links: []Link{{"report", "https://gitlab.example.com/shop/-/jobs/7/artifacts/file/report.html"}, {"evil", "javascript:alert(1)"}},
		Stages: []Stage{
			{Service: "stock", Kind: "build", Status: pipeline.Passed, Started: start, Duration: 4200 * time.Millisecond, UpToDate: true, Message: "linux/amd64, linux/arm64"},
			{
				Service: "stock", Kind: "unit", Status: pipeline.Failed, Started: start.Add(time.Second), Duration: 12300 * time.Millisecond,
				Message: "1 of 4 tests failed", Cause: "--- FAIL: TestSell\n    sell_test.go:12: got 3, want 4\n", Log: "/builds/shop/system/.pipeline/runs/x/stock-unit.log",
				Findings: &pipeline.Findings{
					Tests: []pipeline.Test{
						{Package: "example.com/stock", Name: "TestSell", Status: pipeline.TestFailed, Time: 1500 * time.Millisecond, Output: "sell_test.go:12: got 3, want 4", File: "sell_test.go", Line: 10},
						{Package: "example.com/stock", Name: "TestSell/twice", Status: pipeline.TestPassed, Time: time.Millisecond},
						{Package: "example.com/stock", Name: "TestSell/twice", Status: pipeline.TestPassed},
						{Package: "example.com/stock/store", Name: "TestDisk", Status: pipeline.TestSkipped, Output: "needs a disk"},
					},
					Coverage: &pipeline.Coverage{Statements: 10, Covered: 7, Files: []pipeline.FileCoverage{
						{Path: "sell.go", Package: "example.com/stock", Statements: 6, Covered: 5, Blocks: []pipeline.CoverageBlock{
							{From: 3, To: 5, Statements: 5, Hits: 2}, {From: 5, To: 6, Statements: 1},
						}},
						{Path: "store/disk.go", Package: "example.com/stock/store", Statements: 4, Covered: 2, Blocks: []pipeline.CoverageBlock{
							{From: 10, To: 10, Statements: 2, Hits: 1}, {From: 12, To: 12, Statements: 2},
						}},
						{Path: "../../../../elsewhere/x.go", Package: "example.com/x", Blocks: []pipeline.CoverageBlock{{From: 1, To: 1}}},
					}},
				},
			},
			{
				Service: "stock", Kind: "lint", Status: pipeline.Waived, Duration: 900 * time.Millisecond, Message: "3 findings | waived until 2026-12-31", Cause: hostile,
				Findings: &pipeline.Findings{Issues: []pipeline.Issue{
					{Path: "./store/disk.go", Line: 12, Column: 3, Check: "SA4006", Severity: "major", Message: "this value of err is never used"},
					{Path: "store/disk.go", Line: 20, Column: 3, Check: "SA4006", Severity: "MINOR", Message: "this value of err is never used"},
					{Path: "../shared/x.go", Line: 0, Check: "vet/printf", Severity: "strange", Message: hostile},
				}},
			},
			{Service: "stock", Kind: "container", Status: pipeline.Untested, Message: "no container engine answers", Cause: "start docker or podman"},
			{Service: "stock", Kind: "module", Status: pipeline.Skipped, Message: "because of stock/container"},
			{Service: "stock", Kind: "integration", Status: pipeline.Cancelled},
			{Service: "cart", Kind: "integration", Status: pipeline.Inapplicable, Root: "examples/shop/cart", Message: "a library"},
			{
				Service: "cart", Kind: "container", Status: pipeline.Passed, Duration: 3 * time.Second, Root: "examples/shop/cart", Version: "1.5.0",
				SBOM:     "testdata/bom/cart.json",
				Findings: &pipeline.Findings{Facts: map[string]string{"bundle": "sha256:" + strings.Repeat("ab", 32), "image size": "12345678"}},
			},
			{
				Service: "cart", Kind: "bench", Version: "1.5.0", Status: pipeline.Passed, Root: "examples/shop/cart",
				Findings: &pipeline.Findings{Summary: "2 benchmarks", Benchmarks: []pipeline.Benchmark{
					{Package: "example.com/cart", Name: "BenchmarkAdd-8", N: 1000000, Values: map[string]float64{"allocs/op": 2, "ns/op": 1043.5, "B/op": 64}},
					{Package: "example.com/cart/store", Name: "Put x", N: 100, Values: map[string]float64{"ns/op": 2e9}},
				}},
			},
		},
	}
}

func TestWriteGolden(t *testing.T) {
	dir := t.TempDir()
	written, err := Write(dir, shop())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range written {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, filepath.Base(name))
		golden(t, filepath.Base(name), data)
	}
	want := []string{
		"annotations.json", "bench.txt", "cart.cdx.json", "codequality.json", "coverage-stock.xml", "figures.json", "junit-stock-container.xml", "junit-stock-integration.xml",
		"junit-stock-lint.xml", "junit-stock-module.xml", "junit-stock-unit.xml", "metrics.txt", "pipeline.env", "report.html", "summary.md",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if _, err := reporttest.CheckDir(dir); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(written[0])
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// The same run gives the same bytes, and nothing is left of a former run but
// files that are not ours.
func TestWriteReplacesAFormerRun(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "reports")
	first, err := Write(dir, shop())
	if err != nil {
		t.Fatal(err)
	}
	content := func() string {
		var all strings.Builder
		for _, name := range first {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(data)
		}
		return all.String()
	}
	before := content()
	if _, err := Write(dir, shop()); err != nil {
		t.Fatal(err)
	}
	if content() != before {
		t.Error("the second time the bytes differ")
	}
	if err := os.WriteFile(filepath.Join(dir, "record.jsonl"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if written, err := Write(dir, Run{}); err != nil || len(written) != 0 {
		t.Errorf("an empty run wrote %v, %v", written, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "record.jsonl" {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
}

func TestWriteErrors(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(name, shop()); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("error %v does not name the folder", err)
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "summary.md", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(dir, shop()); err == nil || !strings.Contains(err.Error(), "summary.md") {
		t.Errorf("error %v does not name the file", err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}
}

// Names that are made of the same letters must not share a file.
func TestFilesDoNotCollide(t *testing.T) {
	t.Parallel()
	red := func(service, kind string) Stage {
		return Stage{Service: service, Kind: kind, Status: pipeline.Failed, Message: service + " " + kind}
	}
	files, err := Run{Stages: []Stage{red("a-b", "c"), red("a", "b-c"), red("../x", "y"), red("a", "b-c")}}.files()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.name)
	}
	slices.Sort(names)
	want := []string{"junit-___x-y.xml", "junit-a-b-c.2.xml", "junit-a-b-c.3.xml", "junit-a-b-c.xml", "pipeline.env", "report.html", "summary.md"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestShorten(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("ä", 5000)
	got := shorten(text, 1001)
	if len(got) > 1001+60 || strings.ContainsRune(got, '\ufffd') || !strings.Contains(got, " bytes left out ...]") {
		t.Errorf("%d bytes: %.80q", len(got), got)
	}
	if shorten("short", 5) != "short" {
		t.Error("a short text was cut")
	}
}

func TestRepoPath(t *testing.T) {
	t.Parallel()
	run := Run{Root: "services/stock", Project: "/builds/shop"}
	for name, want := range map[string]string{
		"a.go": "services/stock/a.go", "./b/../a.go": "services/stock/a.go", "../cart/a.go": "services/cart/a.go",
		"/builds/shop/x/a.go": "x/a.go", "../../../a.go": "", "/etc/passwd": "", "..a.go": "services/stock/..a.go",
	} {
		got, ok := run.repoPath(Stage{}, name)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q, %v, want %q", name, got, ok, want)
		}
	}
}

func BenchmarkReports(b *testing.B) {
	s := Stage{Service: "stock", Kind: "unit", Status: pipeline.Passed, Findings: &pipeline.Findings{Coverage: &pipeline.Coverage{}}}
	for i := range 2000 {
		name := strings.Repeat("x", i%50)
		s.Findings.Tests = append(s.Findings.Tests, pipeline.Test{Package: "p", Name: "Test" + name, Status: pipeline.TestPassed})
		s.Findings.Coverage.Files = append(s.Findings.Coverage.Files, pipeline.FileCoverage{Path: name + ".go", Blocks: []pipeline.CoverageBlock{{From: i, To: i + 20, Hits: 1}}})
	}
	run := Run{Stages: []Stage{s}}
	for b.Loop() {
		if _, err := run.files(); err != nil {
			b.Fatal(err)
		}
	}
}
