package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// coverageDoc reads Cobertura independently of the writer.
type coverageDoc struct {
	XMLName  xml.Name `xml:"coverage"`
	LineRate float64  `xml:"line-rate,attr"`
	Covered  int      `xml:"lines-covered,attr"`
	Valid    int      `xml:"lines-valid,attr"`
	Sources  []string `xml:"sources>source"`
	Packages []struct {
		Name    string `xml:"name,attr"`
		Classes []struct {
			File  string `xml:"filename,attr"`
			Lines []struct {
				Number int `xml:"number,attr"`
				Hits   int `xml:"hits,attr"`
			} `xml:"lines>line"`
		} `xml:"classes>class"`
	} `xml:"packages>package"`
}

func parseCobertura(t *testing.T, data []byte) coverageDoc {
	t.Helper()
	strict(t, data, `coverage coverage/line-rate coverage/branch-rate coverage/lines-covered coverage/lines-valid coverage/branches-covered
		coverage/branches-valid coverage/complexity coverage/version coverage/timestamp sources source packages
		package package/name package/line-rate package/branch-rate package/complexity classes
		class class/name class/filename class/line-rate class/branch-rate class/complexity methods lines line line/number line/hits`)
	var doc coverageDoc
	if err := xml.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	if len(data) > 10<<20 || len(doc.Sources) != 1 {
		t.Errorf("%d bytes, sources %q", len(data), doc.Sources)
	}
	covered, valid := 0, 0
	for _, p := range doc.Packages {
		for _, c := range p.Classes {
			if !filepath.IsLocal(c.File) || strings.HasPrefix(c.File, "./") {
				t.Errorf("file %q is not relative to the repository", c.File)
			}
			for _, l := range c.Lines {
				valid++
				if l.Hits > 0 {
					covered++
				}
			}
		}
	}
	if doc.Covered != covered || doc.Valid != valid || valid > 0 && math.Abs(doc.LineRate-float64(covered)/float64(valid)) > 1e-4 {
		t.Errorf("totals %d of %d (%v), want %d of %d", doc.Covered, doc.Valid, doc.LineRate, covered, valid)
	}
	return doc
}

func TestCobertura(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := Cobertura(&b, shop(), "stock"); err != nil {
		t.Fatal(err)
	}
	doc := parseCobertura(t, b.Bytes())
	var got []string
	for _, p := range doc.Packages {
		for _, c := range p.Classes {
			text := p.Name + " " + c.File
			for _, l := range c.Lines {
				text += fmt.Sprintf(" %d:%d", l.Number, l.Hits)
			}
			got = append(got, text)
		}
	}
	want := []string{
		"example.com/stock examples/shop/stock/sell.go 3:2 4:2 5:2 6:0",
		"example.com/stock/store examples/shop/stock/store/disk.go 10:1 12:0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.Reset()
	if err := Cobertura(&b, shop(), "cart"); err != nil || b.Len() > 0 {
		t.Errorf("a service without coverage wrote %d bytes, %v", b.Len(), err)
	}
}

// A block that is no code must not take all memory.
func TestCoberturaOfStrangeBlocks(t *testing.T) {
	t.Parallel()
	c := class{hits: map[int]int{}}
	c.add([]pipeline.CoverageBlock{{From: 1, To: math.MaxInt}, {From: math.MaxInt, To: math.MaxInt}, {From: math.MinInt, To: 3}})
	if len(c.hits) > 2*maxLines {
		t.Errorf("%d lines", len(c.hits))
	}
}

// What GitLab would refuse for its size becomes several files.
func TestCoberturaIsSplit(t *testing.T) {
	t.Parallel()
	s := Stage{Service: "big", Kind: "unit", Findings: &pipeline.Findings{Coverage: &pipeline.Coverage{}}}
	for i := range 60 {
		s.Findings.Coverage.Files = append(s.Findings.Coverage.Files, pipeline.FileCoverage{
			Path: fmt.Sprintf("f%03d.go", i), Package: "p", Blocks: []pipeline.CoverageBlock{{From: 1, To: 50, Hits: math.MaxInt}},
		})
	}
	s.Findings.Coverage.Files = append(s.Findings.Coverage.Files, pipeline.FileCoverage{
		Path: "strange.go", Package: "p", Blocks: []pipeline.CoverageBlock{{From: -5, To: 20}, {From: 9, To: 3, Hits: 1}},
	})
	seen := map[string]bool{}
	const limit = 50_000
	files := Run{Stages: []Stage{s}}.coberturaFiles(limit)
	for i, f := range files {
		want := fmt.Sprintf("coverage-big.%d.xml", i+1)
		if i == 0 {
			want = "coverage-big.xml"
		}
		if f.name != want {
			t.Errorf("file %d is %s, want %s", i, f.name, want)
		}
		if len(f.data) > limit {
			t.Errorf("%s has %d bytes", f.name, len(f.data))
		}
		for _, p := range parseCobertura(t, f.data).Packages {
			for _, c := range p.Classes {
				seen[c.File] = true
			}
		}
	}
	if len(seen) != 61 || len(files) < 3 {
		t.Errorf("%d files of %d classes", len(files), len(seen))
	}
}

// quality reads Code Quality independently of the writer.
func quality(t *testing.T, run Run) []map[string]any {
	t.Helper()
	var b bytes.Buffer
	if err := CodeQuality(&b, run); err != nil {
		t.Fatal(err)
	}
	if b.Len() == 0 {
		return nil
	}
	if b.Bytes()[0] != '[' {
		t.Errorf("begins with %q", b.Bytes()[:3])
	}
	var list []map[string]any
	if err := json.Unmarshal(b.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	prints := map[any]bool{}
	for _, v := range list {
		if prints[v["fingerprint"]] {
			t.Errorf("fingerprint of %v is not unique", v)
		}
		prints[v["fingerprint"]] = true
		where := v["location"].(map[string]any)
		if name := where["path"].(string); !filepath.IsLocal(name) || strings.HasPrefix(name, "./") {
			t.Errorf("path %q", name)
		}
		if line := where["lines"].(map[string]any)["begin"].(float64); line < 1 {
			t.Errorf("line %v", line)
		}
		if !strings.Contains(" info minor major critical blocker ", " "+v["severity"].(string)+" ") || v["description"] == "" || v["check_name"] == "" {
			t.Errorf("incomplete: %v", v)
		}
	}
	return list
}

func lint(issues ...pipeline.Issue) Run {
	return Run{Stages: []Stage{{Service: "stock", Kind: "lint", Status: pipeline.Failed, Findings: &pipeline.Findings{Issues: issues}}}}
}

func TestFingerprintsOutliveAShift(t *testing.T) {
	t.Parallel()
	issue := func(line int) pipeline.Issue {
		return pipeline.Issue{Path: "a.go", Line: line, Check: "S1", Message: fmt.Sprintf("x redeclared, other at a.go:%d:3 (line %d)", line-1, line-1)}
	}
	prints := func(list []map[string]any) (prints []any) {
		for _, v := range list {
			prints = append(prints, v["fingerprint"])
		}
		return prints
	}
	before := prints(quality(t, lint(issue(10), issue(20))))
	after := prints(quality(t, lint(issue(27), issue(17), issue(17))))
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("(-before +after the shift):\n%s", diff)
	}
}

func TestCodeQuality(t *testing.T) {
	t.Parallel()
	if list := quality(t, shop()); len(list) != 3 {
		t.Errorf("%d findings", len(list))
	}
	if list := quality(t, lint()); list == nil {
		t.Error("a lint stage without findings wrote nothing, want an empty list")
	}
	if list := quality(t, Run{Stages: []Stage{{Kind: "build", Status: pipeline.Passed, Findings: &pipeline.Findings{}}}}); list != nil {
		t.Errorf("without a lint stage: %v", list)
	}
	long := pipeline.Issue{Path: "a.go", Message: strings.Repeat("long ", 10_000)}
	if list := quality(t, lint(long, pipeline.Issue{Path: "/etc/passwd"}, pipeline.Issue{Path: "../../x"})); len(list) != 1 || len(list[0]["description"].(string)) > maxDescription+100 {
		t.Errorf("got %d findings", len(list))
	}
}

func TestBenchmarksWithoutValues(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	err := Benchmarks(&b, Run{Stages: []Stage{{Findings: &pipeline.Findings{Benchmarks: []pipeline.Benchmark{
		{Name: "BenchmarkX", Values: map[string]float64{"ns/op": math.NaN(), " ": 1}},
	}}}}})
	if err != nil || b.Len() != 0 {
		t.Errorf("wrote %q, %v", b.String(), err)
	}
}
