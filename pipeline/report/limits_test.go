package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/report/reporttest"
)

// large is a run with 60,000 tests, of which each fortieth failed with much
// output, and a coverage of 5,000 files.
func large() Run {
	unit := Stage{Service: "stock", Kind: "unit", Status: pipeline.Failed, Message: "1500 of 60000 tests failed", Cause: hostile}
	unit.Findings = &pipeline.Findings{Coverage: &pipeline.Coverage{}}
	output := strings.Repeat("stock_test.go:12: got <3>, want \"4\" & more\n", 500)
	for i := range 60_000 / lighter {
		one := pipeline.Test{Package: fmt.Sprintf("example.com/stock/package%d", i/100), Name: fmt.Sprintf("TestSell/case_%d", i), Status: pipeline.TestPassed, Time: time.Millisecond}
		if i%40 == 0 {
			one.Status, one.Output = pipeline.TestFailed, output
		}
		unit.Findings.Tests = append(unit.Findings.Tests, one)
	}
	for i := range 5000 / lighter {
		one := pipeline.FileCoverage{Path: fmt.Sprintf("internal/package%d/file%d.go", i/10, i), Package: fmt.Sprintf("example.com/stock/internal/package%d", i/10), Statements: 300, Covered: 200}
		for line := range 20 {
			one.Blocks = append(one.Blocks, pipeline.CoverageBlock{From: 10 * line, To: 10*line + 8, Statements: 6, Hits: line % 3})
		}
		unit.Findings.Coverage.Files = append(unit.Findings.Coverage.Files, one)
	}
	return Run{ID: "large", Status: "failed", Project: "/builds/shop", Root: "stock", Stages: []Stage{unit}}
}

func TestLargeRunIsWithinTheLimits(t *testing.T) {
	t.Parallel()
	run, dir := large(), t.TempDir()
	began := time.Now()
	written, err := Write(dir, run)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d reports of %d tests and %d files in %v", len(written), 60_000/lighter, 5000/lighter, time.Since(began).Round(time.Millisecond))
	if _, err := reporttest.CheckDir(dir); err != nil {
		t.Error(err)
	}
	counts := map[string]int{}
	for _, name := range written {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%10d bytes  %s", len(data), filepath.Base(name))
		kind, _, _ := strings.Cut(filepath.Base(name), "-")
		counts[kind]++
		for _, element := range []string{"<testcase ", "<failure ", "<class "} {
			counts[element] += bytes.Count(data, []byte(element))
		}
	}
	if counts["<testcase "] != 60_000/lighter || counts["<failure "] != 1500/lighter || counts["<class "] != 5000/lighter || lighter == 1 && (counts["junit"] < 2 || counts["coverage"] < 2) {
		t.Errorf("got %v", counts)
	}
}

// A stage that is larger than a file goes on in a second one; only when all
// files are full tests are left out, those that passed first, and one says so.
func TestJUnitIsSplitBeforeItIsTrimmed(t *testing.T) {
	t.Parallel()
	s := Stage{Service: "stock", Kind: "unit", Status: pipeline.Failed, Findings: &pipeline.Findings{}}
	for i := range 2000 {
		status := pipeline.TestPassed
		if i%100 == 99 {
			status = pipeline.TestFailed
		}
		s.Findings.Tests = append(s.Findings.Tests, pipeline.Test{Package: "p", Name: fmt.Sprintf("Test%d", i), Status: status, Output: "red"})
	}
	run := Run{Stages: []Stage{s, {Service: "cart", Kind: "unit", Status: pipeline.Failed, Message: "red"}}}
	count := func(one, all int) (files, tests, failures int, told bool) {
		total := 0
		names := map[string]bool{}
		for _, f := range run.junitFiles(one, all) {
			if len(f.data) > one || names[f.name] {
				t.Errorf("%s has %d bytes of %d", f.name, len(f.data), one)
			}
			names[f.name] = true
			files, total = files+1, total+len(f.data)
			for _, s := range parseJUnit(t, f.data).Suites {
				tests, failures = tests+s.Tests, failures+s.Failures
				for _, c := range s.Cases {
					told = told || c.Skipped != nil && strings.Contains(c.Name, "tests left out")
				}
			}
		}
		if total > all {
			t.Errorf("%d bytes of %d", total, all)
		}
		return files, tests, failures, told
	}
	if files, tests, failures, told := count(60_000, 1_000_000); files < 4 || tests != 2001 || failures != 21 || told {
		t.Errorf("split: %d files, %d tests, %d failures, told %v", files, tests, failures, told)
	}
	if files, tests, failures, told := count(40_000, 90_000); files < 2 || tests >= 2001 || tests < 300 || failures != 21 || !told {
		t.Errorf("trimmed: %d files, %d tests, %d failures, told %v", files, tests, failures, told)
	}
}
