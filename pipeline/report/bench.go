package report

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// Benchmarks writes the benchmarks of all stages in the Go benchmark data
// format (golang.org/design/14313-benchmark-format), as benchstat reads it.
// Without benchmarks nothing is written.
func Benchmarks(w io.Writer, run Run) error {
	var b bytes.Buffer
	service, pkg := "", ""
	for _, s := range run.Stages {
		if s.Findings == nil {
			continue
		}
		for _, bench := range s.Findings.Benchmarks {
			line := benchmarkLine(bench)
			if line == "" {
				continue
			}
			if b.Len() == 0 || s.Service != service {
				service, pkg = s.Service, ""
				fmt.Fprintf(&b, "service: %s\n", oneLine(service))
			}
			if bench.Package != pkg {
				pkg = bench.Package
				fmt.Fprintf(&b, "pkg: %s\n", oneLine(pkg))
			}
			b.WriteString(line)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// benchmarkLine returns one line of the format, "" without a value.
func benchmarkLine(bench pipeline.Benchmark) string {
	units := make([]string, 0, len(bench.Values))
	for unit, value := range bench.Values {
		if word(unit) != "" && !math.IsNaN(value) && !math.IsInf(value, 0) {
			units = append(units, unit)
		}
	}
	if len(units) == 0 {
		return ""
	}
	slices.SortFunc(units, func(a, b string) int {
		if (a == "ns/op") != (b == "ns/op") {
			return map[bool]int{true: -1, false: 1}[a == "ns/op"]
		}
		return strings.Compare(a, b)
	})
	name := word(bench.Name)
	if !strings.HasPrefix(name, "Benchmark") {
		name = "Benchmark" + name
	}
	line := fmt.Sprintf("%s\t%d", name, max(1, bench.N))
	for _, unit := range units {
		line += "\t" + strconv.FormatFloat(bench.Values[unit], 'f', -1, 64) + " " + word(unit)
	}
	return line + "\n"
}

// word returns text without white space.
func word(text string) string { return strings.Join(strings.Fields(clean(text)), "_") }
