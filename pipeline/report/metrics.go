package report

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// family is a metric family of OpenMetrics
// (github.com/prometheus/OpenMetrics, specification 1.0).
type family struct {
	name, unit, help string
	samples          []string
	seen             map[string]bool // a sample may be there once
}

// add adds a sample; labels are pairs of a name and a value. Braces in values
// are replaced: the reader of GitLab takes the first for the end of the labels.
func (f *family) add(value float64, labels ...string) {
	var pairs []string
	braces := strings.NewReplacer("{", "(", "}", ")")
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	for i := 0; i < len(labels); i += 2 {
		text := quoted.Replace(braces.Replace(oneLine(shorten(labels[i+1], maxName))))
		pairs = append(pairs, labels[i]+`="`+text+`"`)
	}
	sample := f.name + "{" + strings.Join(pairs, ",") + "} "
	if f.seen[sample] {
		return
	}
	if f.seen == nil {
		f.seen = map[string]bool{}
	}
	f.seen[sample] = true
	f.samples = append(f.samples, sample+strconv.FormatFloat(value, 'g', -1, 64)+"\n")
}

func (f *family) write(b *bytes.Buffer) {
	if len(f.samples) == 0 {
		return
	}
	fmt.Fprintf(b, "# TYPE %s gauge\n", f.name)
	if f.unit != "" {
		fmt.Fprintf(b, "# UNIT %s %s\n", f.name, f.unit)
	}
	fmt.Fprintf(b, "# HELP %s %s\n", f.name, f.help)
	for _, s := range f.samples {
		b.WriteString(s)
	}
}

// Metrics writes the figures of the run in the text format of OpenMetrics 1.0,
// for GitLab's metrics report: times of stages, tests, coverage, image sizes
// and benchmarks. Without any nothing is written.
func Metrics(w io.Writer, run Run) error {
	seconds := &family{name: "pipeline_stage_seconds", unit: "seconds", help: "Time that the stage took."}
	tests := &family{name: "pipeline_tests", help: "Tests of the stage by their result."}
	for _, s := range run.Stages {
		if s.Duration > 0 {
			seconds.add(float64(s.Duration.Round(1e6))/1e9, "service", s.Service, "stage", s.Kind)
		}
		counts := s.tests()
		for _, status := range []pipeline.TestStatus{pipeline.TestPassed, pipeline.TestFailed, pipeline.TestSkipped} {
			if len(counts) > 0 {
				tests.add(float64(counts[status]), "service", s.Service, "stage", s.Kind, "result", string(status))
			}
		}
	}
	var b bytes.Buffer
	for _, f := range append([]*family{seconds, tests}, run.figureFamilies()...) {
		f.write(&b)
	}
	if b.Len() == 0 {
		return nil
	}
	b.WriteString("# EOF\n")
	_, err := w.Write(b.Bytes())
	return err
}

func (run Run) figureFamilies() []*family {
	coverage := &family{name: "pipeline_coverage_ratio", unit: "ratio", help: "Covered part of the statements."}
	image := &family{name: "pipeline_image_bytes", unit: "bytes", help: "What a pull of the largest image transfers."}
	bench := &family{name: "pipeline_benchmark", help: "Benchmark, in the unit of its label."}
	stages := run.byService()
	for _, service := range run.services() {
		f := figuresOf(stages[service])
		if f.Coverage != nil {
			coverage.add(f.Coverage.Percent()/100, "service", service)
		}
		if f.Image > 0 {
			image.add(float64(f.Image), "service", service)
		}
		for _, key := range slices.Sorted(maps.Keys(f.Benchmarks)) {
			name, unit := cutLast(key)
			bench.add(f.Benchmarks[key], "service", service, "benchmark", name, "unit", unit)
		}
	}
	return []*family{coverage, image, bench}
}

// cutLast splits the key of a benchmark into its name, with the package, and
// its unit.
func cutLast(key string) (name, unit string) {
	at := strings.LastIndexByte(key, ' ')
	return key[:max(at, 0)], key[at+1:]
}

// tests counts the tests of a stage; nil without any.
func (s Stage) tests() map[pipeline.TestStatus]int {
	if s.Findings == nil || len(s.Findings.Tests) == 0 {
		return nil
	}
	counts := map[pipeline.TestStatus]int{}
	for _, t := range s.Findings.Tests {
		counts[t.Status]++
	}
	return counts
}
