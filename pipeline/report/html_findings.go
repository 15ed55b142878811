package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// imageView is the layers of an image for one platform.
type imageView struct {
	Platform, Total, Count string
	Layers                 []layerView
}

type layerView struct {
	stretch
	Name, Digest, Size, Share string
	Tint                      int // of three, in turn
}

// imagesOf sorts the layers by their platforms, in the order of these.
func imagesOf(layers []pipeline.Layer) []imageView {
	var platforms []string
	byPlatform := map[string][]pipeline.Layer{}
	for _, l := range layers {
		if byPlatform[l.Platform] == nil {
			platforms = append(platforms, l.Platform)
		}
		byPlatform[l.Platform] = append(byPlatform[l.Platform], l)
	}
	var images []imageView
	for _, platform := range platforms {
		images = append(images, imageOf(platform, byPlatform[platform]))
	}
	return images
}

func imageOf(platform string, layers []pipeline.Layer) imageView {
	total := int64(0)
	for _, l := range layers {
		total += max(0, l.Size)
	}
	view := imageView{Platform: oneLine(bound(platform)), Total: Amount(total), Count: number(len(layers), "layer")}
	below := int64(0)
	for i, l := range layers {
		size := max(0, l.Size)
		share := percent(float64(size), float64(total))
		view.Layers = append(view.Layers, layerView{
			stretch: stretch{percent(float64(below), float64(total)), share}, Tint: i % 3,
			Name: oneLine(bound(l.Name)), Digest: oneLine(bound(l.Digest)), Size: Amount(size),
			Share: fmt.Sprintf("%.1f %%", 100*float64(size)/float64(max(1, total))),
		})
		below += size
	}
	return view
}

// eventsView is the events of the cluster in one stage.
type eventsView struct {
	Stage            *stageView
	Note, Left       string
	Warnings, Normal []eventView
}

type eventView struct{ At, Object, Reason, Message, Count string }

func eventsOf(v *stageView, events []pipeline.ClusterEvent) *eventsView {
	if len(events) == 0 {
		return nil
	}
	view := &eventsView{Stage: v}
	warnings := 0
	for _, e := range events {
		list := &view.Normal
		if e.Type != "Normal" {
			warnings++
			list = &view.Warnings
		}
		if len(*list) < maxRows {
			*list = append(*list, eventOf(e))
		}
	}
	view.Note = number(warnings, "warning") + ", " + grouped(float64(len(events)-warnings)) + " normal"
	view.Left = leftOut(len(events) - len(view.Warnings) - len(view.Normal))
	return view
}

func eventOf(e pipeline.ClusterEvent) eventView {
	view := eventView{
		Object: oneLine(bound(e.Object)), Reason: oneLine(bound(e.Reason)),
		Message: oneLine(shorten(e.Message, maxDescription)), Count: strconv.Itoa(max(1, e.Count)) + "×",
	}
	if !e.Time.IsZero() {
		view.At = e.Time.UTC().Format("15:04:05")
	}
	return view
}

// leftOut says how many rows a table does not show, "" for none.
func leftOut(n int) string {
	if n <= 0 {
		return ""
	}
	return grouped(float64(n)) + " more are left out here."
}

// benchmarksView is the benchmarks of one stage, a column for each unit.
type benchmarksView struct {
	Units []string
	Rows  []benchmarkView
}

type benchmarkView struct {
	Name, Package, N string
	Values           []string
}

func benchmarksOf(list []pipeline.Benchmark) *benchmarksView {
	if len(list) == 0 {
		return nil
	}
	set := map[string]bool{}
	for _, b := range list {
		for unit := range b.Values {
			set[unit] = true
		}
	}
	units := slices.SortedFunc(maps.Keys(set), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
	view := &benchmarksView{}
	for _, unit := range units {
		view.Units = append(view.Units, oneLine(bound(unit)))
	}
	for _, b := range list {
		row := benchmarkView{Name: oneLine(bound(b.Name)), Package: oneLine(bound(b.Package)), N: grouped(float64(b.N))}
		for _, unit := range units {
			value, ok := b.Values[unit]
			row.Values = append(row.Values, map[bool]string{true: grouped(value)}[ok])
		}
		view.Rows = append(view.Rows, row)
	}
	return view
}

// rank puts the units that Go writes first in the order in which it does.
func rank(unit string) int {
	known := []string{"ns/op", "MB/s", "B/op", "allocs/op"}
	if i := slices.Index(known, unit); i >= 0 {
		return i
	}
	return len(known)
}

// issuesView is the issues of one stage, sorted by place.
type issuesView struct {
	Stage      *stageView
	Note, Left string
	Rows       []issueView
}

type issueView struct{ ID, Severity, Where, Message, Check string }

func (run Run) issuesOf(v *stageView, s Stage) *issuesView {
	issues := slices.Clone(s.Findings.Issues)
	if len(issues) == 0 {
		return nil
	}
	slices.SortStableFunc(issues, func(a, b pipeline.Issue) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	view := &issuesView{Stage: v, Note: number(len(issues), "issue"), Left: leftOut(len(issues) - maxRows)}
	for i, issue := range issues[:min(len(issues), maxRows)] {
		view.Rows = append(view.Rows, issueView{
			ID:       fmt.Sprintf("issue-%s-%d", v.ID, i+1),
			Severity: strings.ToLower(oneLine(bound(issue.Severity))), Check: oneLine(bound(issue.Check)),
			Where: run.place(s, issue.Path, issue.Line, issue.Column), Message: oneLine(shorten(issue.Message, maxDescription)),
		})
	}
	return view
}

// factView is a fact; Note says a number of bytes in a shorter way.
type factView struct{ Name, Value, Note string }

// factsOf returns the facts, sorted by name.
func factsOf(facts map[string]string) []factView {
	var list []factView
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		f := factView{Name: oneLine(bound(name)), Value: oneLine(shorten(facts[name], maxDescription))}
		if n, err := strconv.ParseInt(f.Value, 10, 64); err == nil && strings.HasSuffix(name, " size") {
			f.Note = Amount(n)
		}
		list = append(list, f)
	}
	return list
}
