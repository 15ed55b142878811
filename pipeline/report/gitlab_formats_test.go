package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// parseDotenv reads a dotenv report as strictly as GitLab, which refuses the
// whole file for one bad line: less than 5 KB, at most 20 variables, each line
// NAME=VALUE, no empty one, no name twice.
func parseDotenv(t *testing.T, data string) map[string]string {
	t.Helper()
	if len(data) >= 5000 || !utf8.ValidString(data) || data != "" && !strings.HasSuffix(data, "\n") {
		t.Errorf("%d bytes: %.100q", len(data), data)
	}
	all := map[string]string{}
	line := regexp.MustCompile(`^(PIPELINE_[A-Z0-9_]+)=([^\s"'$#\\]+)$`)
	for text := range strings.Lines(data) {
		m := line.FindStringSubmatch(strings.TrimSuffix(text, "\n"))
		if m == nil {
			t.Errorf("line %q", text)
			continue
		}
		if _, twice := all[m[1]]; twice {
			t.Errorf("%s is there twice", m[1])
		}
		all[m[1]] = m[2]
	}
	if len(all) > 20 {
		t.Errorf("%d variables", len(all))
	}
	return all
}

func written(t *testing.T, write func(*bytes.Buffer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func dotenvOf(t *testing.T, run Run) map[string]string {
	t.Helper()
	return parseDotenv(t, written(t, func(b *bytes.Buffer) error { return Dotenv(b, run) }))
}

func of(run Run, service string) Run {
	var list []Stage
	for _, s := range run.Stages {
		if s.Service == service {
			list = append(list, s)
		}
	}
	run.Stages = list
	return run
}

func TestDotenv(t *testing.T) {
	t.Parallel()
	digest := "sha256:" + strings.Repeat("ab", 32)
	many := Run{ID: "x", Status: "not tested"}
	for i := range 100 {
		many.Stages = append(many.Stages, Stage{Service: fmt.Sprintf("service-%d", i), Kind: "unit", Version: "1.0.0"})
	}
	first := map[string]string{"PIPELINE_STATUS": "not-tested", "PIPELINE_RUN_ID": "x", "PIPELINE_SERVICES": "100"}
	for i := range 17 {
		first[fmt.Sprintf("PIPELINE_SERVICE_%d_VERSION", i)] = "1.0.0"
	}
	bad := Run{Status: hostile, ID: "a b", Stages: []Stage{{Service: hostile, Version: "1\nX=2"}}}
	twins := Run{Status: "passed", Stages: []Stage{{Service: "a-b", Version: "1"}, {Service: "a_b", Version: "2"}}}
	for name, test := range map[string]struct {
		run  Run
		want map[string]string
	}{
		"nothing": {Run{}, map[string]string{}},
		"one service": {of(shop(), "cart"), map[string]string{
			"PIPELINE_STATUS": "failed", "PIPELINE_RUN_ID": "20261121-100000-ab12", "PIPELINE_SERVICE": "cart",
			"PIPELINE_VERSION": "1.5.0", "PIPELINE_DIGEST": digest, "PIPELINE_IMAGE_SIZE": "12345678",
		}},
		"two services": {shop(), map[string]string{
			"PIPELINE_STATUS": "failed", "PIPELINE_RUN_ID": "20261121-100000-ab12", "PIPELINE_SERVICES": "2", "PIPELINE_STOCK_COVERAGE": "70.0",
			"PIPELINE_CART_VERSION": "1.5.0", "PIPELINE_CART_DIGEST": digest, "PIPELINE_CART_IMAGE_SIZE": "12345678",
		}},
		"too many":      {many, first},
		"hostile texts": {bad, map[string]string{}},
		"names that are one when written as a variable": {twins, map[string]string{"PIPELINE_STATUS": "passed", "PIPELINE_SERVICES": "2"}},
	} {
		if diff := cmp.Diff(test.want, dotenvOf(t, test.run)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func FuzzDotenv(f *testing.F) {
	f.Add("stock", "1.0.0", "passed")
	f.Add("a\nB=c", "\xff", hostile)
	f.Fuzz(func(t *testing.T, service, version, status string) {
		stages := []Stage{{Service: service, Version: version}, {Service: version, Version: service}}
		dotenvOf(t, Run{Status: status, ID: version, Stages: stages[:1]})
		dotenvOf(t, Run{Status: status, ID: version, Stages: stages})
	})
}

// metrics reads the text format of OpenMetrics 1.0 as its grammar has it, with
// the demands on gauges and units, and returns the samples.
func parseMetrics(t *testing.T, data string) map[string]float64 {
	t.Helper()
	samples := map[string]float64{}
	if data == "" {
		return samples
	}
	if !strings.HasSuffix(data, "\n# EOF\n") || strings.Count(data, "# EOF") != 1 {
		t.Errorf("does not end with # EOF: %.200q", data)
	}
	descriptor := regexp.MustCompile(`^# (TYPE|UNIT|HELP) ([a-zA-Z_:][a-zA-Z0-9_:]*) ([^\n]+)$`)
	label := `[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"`
	sample := regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)\{(` + label + `(?:,` + label + `)*)\} (\S+)$`)
	family, seen := "", map[string]bool{}
	for line := range strings.Lines(strings.TrimSuffix(data, "# EOF\n")) {
		line = strings.TrimSuffix(line, "\n")
		if m := descriptor.FindStringSubmatch(line); m != nil {
			if m[1] == "TYPE" {
				if seen[m[2]] || m[3] != "gauge" {
					t.Errorf("family %s begins twice, or is a %s", m[2], m[3])
				}
				family, seen[m[2]] = m[2], true
			}
			if m[2] != family || m[1] == "UNIT" && !strings.HasSuffix(m[2], "_"+m[3]) {
				t.Errorf("%q in family %s", line, family)
			}
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil || m[1] != family {
			t.Errorf("%q is no sample of %s", line, family)
			continue
		}
		value, err := strconv.ParseFloat(m[3], 64)
		key := m[1] + "{" + m[2] + "}"
		if _, twice := samples[key]; twice || err != nil || strings.ContainsAny(m[2], "{}") {
			t.Errorf("sample %q is there twice, or is none: %v", line, err)
		}
		samples[key] = value
	}
	return samples
}

func metricsOf(t *testing.T, run Run) map[string]float64 {
	t.Helper()
	return parseMetrics(t, written(t, func(b *bytes.Buffer) error { return Metrics(b, run) }))
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	got := metricsOf(t, shop())
	for sample, want := range map[string]float64{
		`pipeline_stage_seconds{service="stock",stage="unit"}`:                                            12.3,
		`pipeline_tests{service="stock",stage="unit",result="failed"}`:                                    1,
		`pipeline_coverage_ratio{service="stock"}`:                                                        0.7,
		`pipeline_image_bytes{service="cart"}`:                                                            12345678,
		`pipeline_benchmark{service="cart",benchmark="example.com/cart/store Put_x",unit="ns/op"}`:        2e9,
		`pipeline_benchmark{service="cart",benchmark="example.com/cart BenchmarkAdd-8",unit="allocs/op"}`: 2,
	} {
		if value, ok := got[sample]; !ok || value != want {
			t.Errorf("%s: %v, want %v", sample, value, want)
		}
	}
	if got := metricsOf(t, Run{Stages: []Stage{{Service: "a", Kind: "b"}}}); len(got) > 0 {
		t.Errorf("a run without a figure wrote %v", got)
	}
}

func FuzzMetrics(f *testing.F) {
	f.Add("stock", "unit", "BenchmarkX", "ns/op", 1.5)
	f.Add("a{b}", "\"\\\n", hostile, "# EOF", -1e300)
	f.Fuzz(func(t *testing.T, service, kind, name, unit string, value float64) {
		findings := &pipeline.Findings{
			Tests:      []pipeline.Test{{Status: pipeline.TestPassed}},
			Benchmarks: []pipeline.Benchmark{{Package: kind, Name: name, Values: map[string]float64{unit: value, "": 1}}, {Package: kind, Name: name, Values: map[string]float64{unit: 1}}},
		}
		one := Stage{Service: service, Kind: kind, Duration: time.Second, Findings: findings}
		metricsOf(t, Run{Stages: []Stage{one, {Service: kind, Kind: service, Duration: 1, Findings: findings}, one}})
	})
}

// annotationsOf reads annotations as GitLab's documentation has them, and
// nothing else.
func annotationsOf(t *testing.T, run Run) map[string]string {
	t.Helper()
	data := written(t, func(b *bytes.Buffer) error { return Annotations(b, run) })
	if data == "" {
		return nil
	}
	var doc map[string][]struct {
		External *struct {
			Label string `json:"label"`
			URL   string `json:"url"`
		} `json:"external_link"`
	}
	d := json.NewDecoder(strings.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	links := map[string]string{}
	for section, list := range doc {
		for _, one := range list {
			u, err := url.Parse(one.External.URL)
			if err != nil || section == "" || one.External.Label == "" || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
				t.Errorf("section %q: %v, %v", section, one.External, err)
			}
			links[one.External.Label] = one.External.URL
		}
	}
	return links
}

func TestAnnotations(t *testing.T) {
	t.Parallel()
	run := Run{Links: []Link{
		{"report", "https://gitlab.example.com/a/b"}, {"a <b>", "http://x.example.com/(a)[b]?c=d e"}, {"", "https://no-label.example.com"},
		{"user", "https://u:p@x.example.com"}, {"script", "javascript:alert(1)"}, {"relative", "/a"}, {"mail", "mailto:a@b"},
		{"long", "https://x.example.com/" + strings.Repeat("x", 5000)},
	}}
	want := map[string]string{"report": "https://gitlab.example.com/a/b", "a <b>": "http://x.example.com/%28a%29%5Bb%5D?c=d%20e"}
	if diff := cmp.Diff(want, annotationsOf(t, run)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := annotationsOf(t, Run{}); got != nil {
		t.Errorf("without links: %v", got)
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	run := shop()
	run.Stages = append(run.Stages, Stage{Service: "cart", Kind: "bench2", Version: "1.5.0", Findings: &pipeline.Findings{Benchmarks: []pipeline.Benchmark{
		{Package: "p", Name: "BenchmarkX", Values: map[string]float64{"ns/op": 3}}, {Package: "p", Name: "BenchmarkX", Values: map[string]float64{"ns/op": 1}},
		{Package: "p", Name: "BenchmarkX", Values: map[string]float64{"ns/op": 100}},
	}}})
	got, err := ReadFigures([]byte(written(t, func(b *bytes.Buffer) error { return WriteFigures(b, run) })))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(run.Figures(), *got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if c := got.Services["stock"].Coverage; c == nil || c.Percent() != 70 || got.Services["cart"].Benchmarks["p BenchmarkX ns/op"] != 3 {
		t.Errorf("got %+v", got)
	}
	for name, data := range map[string]string{
		"no JSON": "<html>", "another schema": `{"schema":2}`, "negative": `{"schema":1,"services":{"a":{"image":-1}}}`,
		"above all": `{"schema":1,"services":{"a":{"coverage":{"statements":1,"covered":2}}}}`, "endless": strings.Repeat(" ", maxFigures+1) + `{"schema":1}`,
	} {
		if f, err := ReadFigures([]byte(data)); err == nil {
			t.Errorf("%s: %v", name, f)
		}
	}
}

func FuzzReadFigures(f *testing.F) {
	f.Add([]byte(`{"schema":1,"services":{"a":{"coverage":{"statements":3,"covered":2},"image":5,"benchmarks":{"p B ns/op":1.5}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		figures, err := ReadFigures(data)
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := Note(&b, shop(), About{Before: figures, Ref: string(data)}); err != nil || b.Len() > maxNote {
			t.Errorf("%d bytes, %v", b.Len(), err)
		}
	})
}
