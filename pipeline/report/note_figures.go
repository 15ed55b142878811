package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxNoteBenchmarks bounds the benchmarks of a note.
const maxNoteBenchmarks = 20

// change is a figure beside that of before.
type change struct {
	name, now, before, change string
	weight                    float64 // the size of the change, as a part of before
}

// figures writes what was measured, beside what it was before.
func (n *noteWriter) figures(run Run, about About) {
	now := run.Figures()
	before := Figures{}
	if about.Before != nil {
		before = *about.Before
	}
	var list, benchmarks []change
	services := run.services()
	for _, name := range services {
		label := ""
		if len(services) > 1 {
			label = name + ": "
		}
		a, b := now.Services[name], before.Services[name]
		list = append(list, sizes(label, a, b)...)
		benchmarks = append(benchmarks, benchmarkChanges(label, a, b)...)
	}
	more := len(benchmarks) - maxNoteBenchmarks
	slices.SortStableFunc(benchmarks, func(a, b change) int { return cmp.Compare(b.weight, a.weight) })
	list = append(list, benchmarks[:min(len(benchmarks), maxNoteBenchmarks)]...)
	var rows []string
	for _, c := range list {
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |\n", inline(c.name), c.now, c.before, c.change))
	}
	if len(rows) > 0 && more > 0 {
		rows = append(rows, fmt.Sprintf("\n%d more benchmarks are in the report.\n", more))
	}
	head := "\n| Figure | Now | Before | Change |\n|---|---:|---:|---:|\n"
	if about.Before != nil && about.Ref != "" {
		head = "\nBefore is " + code(shorten(about.Ref, maxLabel)) + ".\n" + head
	}
	n.add(head, rows, "figures")
}

// sizes are the figures that every service may have.
func sizes(label string, now, before ServiceFigures) []change {
	var list []change
	if c := now.Coverage; c != nil {
		one := change{name: label + "coverage", now: fmt.Sprintf("%.1f %%", c.Percent())}
		if b := before.Coverage; b != nil {
			one.before, one.change = fmt.Sprintf("%.1f %%", b.Percent()), signed(c.Percent()-b.Percent(), "%+.1f")
		}
		list = append(list, one)
	}
	if now.Image > 0 {
		one := change{name: label + "image", now: megabytes(now.Image)}
		if before.Image > 0 {
			one.before = megabytes(before.Image)
			one.change = signed(float64(now.Image-before.Image)/1e6, "%+.1f") + " MB"
		}
		list = append(list, one)
	}
	return list
}

func benchmarkChanges(label string, now, before ServiceFigures) []change {
	var list []change
	for _, key := range slices.Sorted(maps.Keys(now.Benchmarks)) {
		name, unit := cutLast(key)
		value := now.Benchmarks[key]
		one := change{name: label + name[strings.LastIndexByte(name, ' ')+1:] + " " + unit, now: fourDigits(value)}
		if old, ok := before.Benchmarks[key]; ok {
			one.before = fourDigits(old)
			if old != 0 && !math.IsInf(value/old, 0) {
				one.weight = math.Abs(value/old - 1)
				one.change = signed(100*(value/old-1), "%+.1f") + " %"
			}
		}
		list = append(list, one)
	}
	return list
}

// signed formats a difference; one that rounds to nothing has no sign.
func signed(difference float64, format string) string {
	text := fmt.Sprintf(format, difference)
	if strings.Trim(text, "+-0.") == "" {
		return text[1:]
	}
	return text
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// fourDigits writes a value of a benchmark with four digits that count.
func fourDigits(value float64) string {
	if math.Abs(value) >= 1000 && math.Abs(value) < 1e6 {
		return strconv.FormatFloat(value, 'f', 0, 64)
	}
	return strconv.FormatFloat(value, 'g', 4, 64)
}
