package report

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// manyTests is a run with n tests, some of which failed.
func manyTests(n int) Run {
	f := &pipeline.Findings{Coverage: &pipeline.Coverage{}}
	for i := range n {
		test := pipeline.Test{
			Package: fmt.Sprintf("example.com/stock/internal/part%02d", i%40), Name: fmt.Sprintf("TestReservation/keeps_what_was_sold_%04d", i),
			Status: pipeline.TestPassed, Time: time.Duration(i) * 100 * time.Microsecond,
		}
		if i%250 == 0 {
			test.Status, test.Output = pipeline.TestFailed, strings.Repeat("    sell_test.go:12: got 3, want 4\n", 20)
		}
		f.Tests = append(f.Tests, test)
	}
	for i := range 300 {
		f.Coverage.Files = append(f.Coverage.Files, pipeline.FileCoverage{
			Path: fmt.Sprintf("part%02d/f%d.go", i%40, i), Package: fmt.Sprintf("example.com/stock/internal/part%02d", i%40), Statements: 90, Covered: 60,
			Blocks: []pipeline.CoverageBlock{{From: 1, To: 200, Statements: 60, Hits: 1}, {From: 210, To: 260, Statements: 30}},
		})
	}
	return Run{Status: "failed", Started: moment(0), Stages: []Stage{{Service: "stock", Kind: "unit", Status: pipeline.Failed, Started: moment(0), Duration: time.Minute, Findings: f}}}
}

func TestHTMLOfManyTests(t *testing.T) {
	t.Parallel()
	data := render(t, manyTests(5000))
	if len(data) > 2_000_000 {
		t.Errorf("5000 tests take %d bytes", len(data))
	}
	text := string(data)
	if n := strings.Count(text, `<article class="failure is-failed" id="f`); n != 20 {
		t.Errorf("%d failing tests", n)
	}
	if !strings.Contains(text, "5,000 tests, 20 failed") || strings.Count(text, `<tr class="p"`) != 4980 {
		t.Error("not all tests are there")
	}
}

// A page stays bounded whatever the tests wrote.
func TestHTMLIsBounded(t *testing.T) {
	t.Parallel()
	run := manyTests(3 * maxTestRows)
	f := run.Stages[0].Findings
	output := strings.Repeat("x", 20_000)
	for i := range f.Tests {
		f.Tests[i].Status, f.Tests[i].Output = pipeline.TestFailed, output
	}
	for range 2 * maxRows {
		f.Issues = append(f.Issues, pipeline.Issue{Path: "a.go", Message: "m"})
		f.Events = append(f.Events, pipeline.ClusterEvent{Type: "Warning"})
	}
	data := render(t, run)
	if len(data) > 12_000_000 {
		t.Errorf("%d bytes", len(data))
	}
	for _, want := range []string{"the first 200 with their output", "20,000 tests left out here", "2,000 more are left out here", "bytes left out"} {
		if !strings.Contains(string(data), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func BenchmarkHTML(b *testing.B) {
	run := manyTests(5000)
	size := 0
	for b.Loop() {
		size = len(render(b, run))
	}
	b.ReportMetric(float64(size), "bytes")
}

func TestLogs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	run := Run{Project: dir}
	for _, test := range []struct {
		log   string
		limit int64
		want  logView
		used  int64
	}{
		{"", 100, logView{Note: "no log"}, 0},
		{write("a", "one\r\n\x1b[1;31mtwo\x1b[0m\n10 %\r20 %\n\xff\x00\n"), 100, logView{Path: "a", Note: "33 B", Text: "one\ntwo\n10 %\n20 %\n\ufffd␀"}, 33},
		{write("b", "first line\nsecond\nthird\n"), 14, logView{Path: "b", Note: "the last 13 B of 24 B", Cut: "The first 11 bytes are left out here.", Text: "second\nthird"}, 13},
		{write("c", strings.Repeat("ä", 100)), 11, logView{Path: "c", Note: "the last 10 B of 200 B", Cut: "The first 190 bytes are left out here.", Text: "äääää"}, 10},
		{write("d", "text\n"), 0, logView{Path: "d", Note: "the last 0 B of 5 B", Cut: "The first 5 bytes are left out here."}, 0},
		{write("e", ""), 10, logView{Path: "e", Note: "the log is empty"}, 0},
		{filepath.Join(dir, "gone"), 10, logView{Path: "gone", Note: "the log is not there any more"}, 0},
		{dir, 10, logView{Path: ".", Note: "the log could not be read"}, 0},
	} {
		got, used := run.log(Stage{Log: test.log}, test.limit)
		if diff := cmp.Diff(test.want, got); diff != "" || used != test.used {
			t.Errorf("%s: %d bytes (-want +got):\n%s", test.log, used, diff)
		}
	}
}

// All logs together have a bound, and those of red stages come first.
func TestLogsShareABudget(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(name, []byte(strings.Repeat("a line of a log\n", 20_000)), 0o644); err != nil {
		t.Fatal(err)
	}
	run := Run{}
	for range 19 {
		run.Stages = append(run.Stages, Stage{Service: "stock", Kind: "unit", Status: pipeline.Passed, Log: name})
	}
	run.Stages = append(run.Stages, Stage{Service: "stock", Kind: "red", Status: pipeline.Failed, Log: name})
	total := 0
	p := run.page()
	for _, v := range p.Stages {
		total += len(v.Log.Text)
		if len(v.Log.Text) > maxLog {
			t.Errorf("%d bytes of %s", len(v.Log.Text), v.Name)
		}
	}
	if total > maxLogs || total < maxLogs-maxLog {
		t.Errorf("%d bytes of all", total)
	}
	if n := len(p.Stages); p.Stages[n-1].Log.Text == "" || p.Stages[n-2].Log.Text != "" {
		t.Error("the log of the red stage was left out first")
	}
}

func TestTicks(t *testing.T) {
	t.Parallel()
	for total, want := range map[time.Duration]string{
		1:                        "0",
		7 * time.Millisecond:     "0 2ms 4ms 6ms",
		900 * time.Millisecond:   "0 200ms 400ms 600ms 800ms",
		4 * time.Second:          "0 1s 2s 3s 4s",
		94 * time.Second:         "0 15s 30s 45s 1m 1m15s 1m30s",
		25 * time.Minute:         "0 5m 10m 15m 20m 25m",
		150 * time.Minute:        "0 30m 1h 1h30m 2h 2h30m",
		9 * 24 * time.Hour:       "0 48h 96h 144h 192h",
		time.Duration(1<<63 - 1): "",
	} {
		var labels []string
		for _, tick := range ticks(total) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != want && want != "" || len(labels) > 7 {
			t.Errorf("%v: %s, want %s", total, got, want)
		}
	}
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	stage := func(kind string, start, took float64) Stage {
		return Stage{Service: "stock", Kind: kind, Status: pipeline.Passed, Started: moment(start), Duration: time.Duration(took * float64(time.Second))}
	}
	late, early, fresh := stage("late", 6, 4), stage("early", 0, 4), stage("fresh", 2, 1)
	fresh.UpToDate = true
	late.Findings = &pipeline.Findings{Phases: []pipeline.Phase{phase("b", 1, 2), phase("a", 0, 2), phase("too long", 3, 99)}}
	run := Run{Started: moment(0), Stages: []Stage{late, early, fresh, stage("beside", 1, 1), {Service: "stock", Kind: "never", Status: pipeline.Cancelled}}}
	tl := run.page().Timeline
	var got []string
	for _, l := range tl.Groups[0].Lanes {
		line := l.Stage.Kind + " " + l.Note
		if b := l.Bar; b != nil {
			line = fmt.Sprintf("%s %s+%s alone %v", l.Stage.Kind, b.X, b.W, b.Alone)
			for _, p := range b.Parts {
				line += fmt.Sprintf(" %s %s+%s y%d h%d", p.Name, p.X, p.W, p.Y, p.H)
			}
		}
		got = append(got, line)
	}
	want := []string{
		"early 0.00+40.00 alone [{0.00 10.00} {20.00 20.00}]",
		"beside 10.00+10.00 alone []",
		"fresh up to date",
		"late 60.00+40.00 alone [{60.00 40.00}] a 60.00+20.00 y6 h7 b 70.00+20.00 y13 h7 too long 90.00+10.00 y6 h7",
		"never cancelled",
	}
	if diff := cmp.Diff(want, got); diff != "" || tl.Idle != "2s" || tl.Total != "10s" {
		t.Errorf("idle %s of %s (-want +got):\n%s", tl.Idle, tl.Total, diff)
	}
}

func TestMissed(t *testing.T) {
	t.Parallel()
	many := []pipeline.CoverageBlock{}
	for i := range 30 {
		many = append(many, pipeline.CoverageBlock{From: 1 + 3*i, To: 1 + 3*i})
	}
	for want, blocks := range map[string][]pipeline.CoverageBlock{
		"":       {{From: 1, To: 9, Hits: 2}},
		"4-5, 9": {{From: 1, To: 3, Hits: 1}, {From: 3, To: 5}, {From: 9, To: 9}},
		"1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 34, 37, 40, 43, 46, 49, 52, 55, 58 and 10 more": many,
	} {
		if got := missed(blocks); got != want {
			t.Errorf("missed %q, want %q", got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		grouped(0): "0", grouped(-1234567): "-1,234,567", grouped(-123): "-123", grouped(1043.5): "1,043.5", grouped(1e300): "1e+300", grouped(math.NaN()): "NaN",
		Amount(999): "999 B", Amount(1000): "1.0 kB", Amount(999_960): "1.0 MB", Amount(28_114_733): "28.1 MB",
		number(1, "test"): "1 test", number(5000, "test"): "5,000 tests", exact(63250 * time.Millisecond): "1m 3.250s",
		shellWord("unit"): "unit", shellWord("a; rm"): "'a; rm'", shellWord("it's"): `'it'\''s'`, shellWord(""): "''",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Text can be read on what it stands on, in the light and in the dark: WCAG 2.2
// (criterion 1.4.3) asks for a contrast of 4.5.
func TestContrast(t *testing.T) {
	t.Parallel()
	style, err := htmlFiles.ReadFile("html/style.css")
	if err != nil {
		t.Fatal(err)
	}
	colours := map[string][2]float64{}
	for _, m := range regexp.MustCompile(`--([a-z-]+): light-dark\(#([0-9a-f]{6}), #([0-9a-f]{6})\)`).FindAllStringSubmatch(string(style), -1) {
		colours[m[1]] = [2]float64{luminance(t, m[2]), luminance(t, m[3])}
	}
	for _, pair := range []string{
		"text ground", "text panel", "text accent-soft", "muted ground", "muted panel", "muted accent-soft", "accent ground", "accent panel", "accent accent-soft",
		"red ground", "red panel", "red accent-soft", "amber ground", "amber panel", "green ground", "green panel", "green accent-soft",
		"on-bar accent", "on-bar accent-two", "on-bar red", "on-bar red-two", "on-bar amber", "on-bar amber-two", "on-bar muted",
	} {
		front, ground, _ := strings.Cut(pair, " ")
		for i, theme := range []string{"light", "dark"} {
			a, b := colours[front][i], colours[ground][i]
			if contrast := (max(a, b) + 0.05) / (min(a, b) + 0.05); contrast < 4.5 || colours[front] == colours[ground] {
				t.Errorf("%s on %s has a contrast of %.2f in the %s", front, ground, contrast, theme)
			}
		}
	}
}

// luminance is that of WCAG 2.2.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
