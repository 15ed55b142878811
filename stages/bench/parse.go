package bench

import (
	"bufio"
	"io"
	"math"
	"strconv"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// Parse reads benchmark results; lines that are none are passed over, and so
// is a line of more than 1 MiB with everything behind it. Names have no
// "Benchmark" in front and keep the "-8" of GOMAXPROCS.
func Parse(r io.Reader) []pipeline.Benchmark {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	var list []pipeline.Benchmark
	pkg := ""
	for lines.Scan() {
		line := lines.Text()
		if value, ok := strings.CutPrefix(line, "pkg:"); ok {
			pkg = strings.TrimSpace(value)
			continue
		}
		if b, ok := parseLine(line); ok {
			b.Package = pkg
			list = append(list, b)
		}
	}
	return list
}

// parseLine reads "BenchmarkName-8 1000 123 ns/op 4 B/op".
func parseLine(line string) (pipeline.Benchmark, bool) {
	name, ok := strings.CutPrefix(line, "Benchmark")
	fields := strings.Fields(name)
	if !ok || len(fields) < 4 || len(fields)%2 != 0 || strings.HasPrefix(name, " ") {
		return pipeline.Benchmark{}, false
	}
	n, err := strconv.Atoi(fields[1])
	if err != nil || n < 1 {
		return pipeline.Benchmark{}, false
	}
	b := pipeline.Benchmark{Name: fields[0], N: n, Values: map[string]float64{}}
	for i := 2; i < len(fields); i += 2 {
		v, err := strconv.ParseFloat(fields[i], 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) { // not JSON
			return pipeline.Benchmark{}, false
		}
		b.Values[fields[i+1]] = v
	}
	return b, true
}

// isConfig reports whether a line belongs to the format and to no failure.
func isConfig(line string) bool {
	for _, key := range []string{"goos:", "goarch:", "pkg:", "cpu:", "PASS", "ok  \t"} {
		if strings.HasPrefix(line, key) {
			return true
		}
	}
	return false
}
