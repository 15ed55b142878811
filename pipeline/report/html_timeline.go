package report

import (
	"cmp"
	"math"
	"slices"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// timeline is the waterfall of a run. Places and widths are percents of the
// time from the beginning of the run to the end of its last stage.
type timeline struct {
	Total  string
	Idle   string // how long no stage ran, "" for none worth to be told
	Ticks  []tick
	Groups []laneGroup
	Parted bool // whether a bar has phases
	Alone  bool // whether a stage ran alone for a while
}

// tick is a round time on the scale. One that is Between is left out where
// there is little room.
type tick struct {
	X, Label string
	Between  bool
}

type laneGroup struct {
	Name  string
	Lanes []*lane
}

// lane is the line of a stage: a bar, or a note why there is none.
type lane struct {
	Stage *stageView
	Bar   *bar
	Note  string
	at    time.Time
}

// bar is the time in which a stage ran.
type bar struct {
	stretch
	Took, Exact string
	Span, Clock string
	AloneFor    string
	Parts       []part
	Alone       []stretch
	start, end  time.Duration // since the beginning of the run
}

// stretch is a place and a width on the scale.
type stretch struct{ X, W string }

// part is a phase of a stage. Parts that overlap share the height.
type part struct {
	stretch
	Y, H       int
	Name, Span string
	Odd        bool
	Wide       bool // whether there is room for its name
}

const (
	// barTop and barHeight are of a bar, in pixels.
	barTop    = 6
	barHeight = 15
	// trackWidth is what a wide screen has at least for the scale, nameWidth for
	// a letter of a phase's name, nameMargin around it, all in pixels.
	trackWidth = 700
	nameWidth  = 7
	nameMargin = 8
)

// timeline lays the stages out that ran, nil when none did.
func (run Run) timeline(views []*stageView) *timeline {
	origin, total := run.extent()
	if total <= 0 {
		return nil
	}
	tl := &timeline{Total: duration(total), Ticks: ticks(total)}
	var bars []*bar
	index := map[string]int{}
	for i, s := range run.Stages {
		l := newLane(s, views[i], origin, total)
		if l.Bar != nil {
			bars = append(bars, l.Bar)
			tl.Parted = tl.Parted || len(l.Bar.Parts) > 0
		}
		g, ok := index[views[i].Service]
		if !ok {
			g = len(tl.Groups)
			index[views[i].Service] = g
			tl.Groups = append(tl.Groups, laneGroup{Name: views[i].Service})
		}
		tl.Groups[g].Lanes = append(tl.Groups[g].Lanes, l)
	}
	for _, g := range tl.Groups {
		slices.SortStableFunc(g.Lanes, byStart)
	}
	idle := alone(bars, total)
	if idle >= total/100 {
		tl.Idle = duration(idle)
	}
	tl.Alone = slices.ContainsFunc(bars, func(b *bar) bool { return len(b.Alone) > 0 })
	return tl
}

// ran reports whether a stage has a bar.
func (s Stage) ran() bool {
	return !s.UpToDate && s.Status != pipeline.Skipped && s.Duration > 0 && !s.Started.IsZero()
}

// extent returns the first moment of the run and the time to the end of its
// last stage.
func (run Run) extent() (origin time.Time, total time.Duration) {
	origin = run.Started
	for _, s := range run.Stages {
		if s.ran() && (origin.IsZero() || s.Started.Before(origin)) {
			origin = s.Started
		}
	}
	for _, s := range run.Stages {
		if s.ran() {
			total = max(total, later(s.Started.Sub(origin), s.Duration))
		}
	}
	return origin, total
}

// later adds two times that are not negative.
func later(a, b time.Duration) time.Duration {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// byStart sorts lanes by their beginning; those that never began come last.
func byStart(a, b *lane) int {
	if a.at.IsZero() != b.at.IsZero() {
		return map[bool]int{true: 1, false: -1}[a.at.IsZero()]
	}
	return a.at.Compare(b.at)
}

func newLane(s Stage, v *stageView, origin time.Time, total time.Duration) *lane {
	l := &lane{Stage: v, Note: v.Mark.Text, at: s.Started}
	switch {
	case s.UpToDate:
		l.Note = "up to date"
	case s.ran():
		l.Bar = newBar(s, v, s.Started.Sub(origin), total)
	}
	return l
}

func newBar(s Stage, v *stageView, start, total time.Duration) *bar {
	b := &bar{start: start, end: later(start, s.Duration)}
	b.stretch = stretchOf(b.start, b.end, total)
	b.Took, b.Exact = duration(s.Duration), v.Name+": "+exact(s.Duration)
	b.Span = "from " + exact(b.start) + " to " + exact(b.end) + " of the run"
	b.Clock = s.Started.UTC().Format("15:04:05.000") + " to " + s.Started.Add(s.Duration).UTC().Format("15:04:05.000 UTC")
	if s.Findings != nil {
		b.Parts = partsOf(s.Findings.Phases, b, total)
	}
	return b
}

// partsOf lays out the phases of a bar. Those that overlap are drawn in rows.
func partsOf(phases []pipeline.Phase, b *bar, total time.Duration) []part {
	phases = slices.Clone(phases)
	slices.SortStableFunc(phases, func(a, b pipeline.Phase) int { return cmp.Compare(a.Start, b.Start) })
	var parts []part
	var rows []int
	var ends []time.Duration // of the rows
	for _, phase := range phases {
		start := min(later(b.start, max(0, phase.Start)), b.end)
		end := min(later(start, max(0, phase.Took)), b.end)
		row := slices.IndexFunc(ends, func(free time.Duration) bool { return free <= start })
		if row < 0 {
			row = len(ends)
			ends = append(ends, 0)
		}
		ends[row] = end
		rows = append(rows, row)
		name := oneLine(bound(phase.Name))
		parts = append(parts, part{
			stretch: stretchOf(start, end, total), Name: name, Odd: len(parts)%2 == 1,
			Span: exact(end-start) + ", from " + exact(start) + " to " + exact(end),
			Wide: float64(end-start)/float64(total)*trackWidth > float64(nameMargin+nameWidth*len(name)),
		})
	}
	height := max(2, barHeight/max(1, len(ends)))
	for i, row := range rows {
		p := &parts[i]
		p.Y, p.H = barTop+(row*height)%(barHeight-1), height
		p.Wide = p.Wide && len(ends) == 1
	}
	return parts
}

// alone finds where a bar has the scale for itself, and returns for how long no
// stage ran at all.
func alone(bars []*bar, total time.Duration) (idle time.Duration) {
	cuts := []time.Duration{0, total}
	for _, b := range bars {
		cuts = append(cuts, b.start, b.end)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	sums := map[*bar]time.Duration{}
	for i := 1; i < len(cuts); i++ {
		from, to := cuts[i-1], cuts[i]
		only, n := (*bar)(nil), 0
		for _, b := range bars {
			if b.start <= from && b.end >= to {
				only, n = b, n+1
			}
		}
		switch {
		case n == 0:
			idle += to - from
		case n == 1 && len(bars) > 1:
			sums[only] += to - from
			if to-from > total/200 { // less is only a speck
				only.Alone = append(only.Alone, stretchOf(from, to, total))
			}
		}
	}
	for b, sum := range sums {
		b.AloneFor = exact(sum)
	}
	return idle
}
