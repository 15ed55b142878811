package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// progress is what a live view shows of a run.
type progress struct {
	plan    []string
	began   time.Time
	ended   bool
	active  []activity     // in the order of their beginning
	settled map[string]int // how many stages ended in each state
	done    int
}

// activity is a stage without a result: it runs, waits for another run to end,
// or has run ahead of a stage that it stands on.
type activity struct {
	node  string
	since time.Time
	took  time.Duration // of one that is held
	state string
	tries int
	text  string
}

// The states of a stage that has no result.
const (
	running = "running"
	waiting = "waiting"
	held    = "held" // it has ended; its result counts when another stage has one
)

// apply folds an event into the progress.
func (p *progress) apply(e pipeline.Event) {
	switch e.Type {
	case pipeline.EventRun:
		*p = progress{plan: e.Plan, began: e.Time, settled: map[string]int{}}
	case pipeline.EventStart:
		p.end(e.Node)
		p.active = append(p.active, activity{node: e.Node, since: e.Time, state: running, tries: 1})
	case pipeline.EventWait:
		a := p.begun(e)
		a.state, a.text = waiting, e.Text
	case pipeline.EventHold:
		a := p.begun(e)
		a.state, a.text, a.took = held, e.Text, e.Time.Sub(a.since)
	case pipeline.EventSay:
		p.begun(e).text = e.Text
	case pipeline.EventRetry:
		a := p.begun(e)
		a.tries++
		a.state, a.text = fmt.Sprintf("try %d", a.tries), e.Text
	case pipeline.EventFinish:
		p.end(e.Node)
		p.done++
		p.settled[stateOf(e.Result)]++
	case pipeline.EventEnd:
		p.ended = true
	}
}

// begun returns the activity of the event's stage; who waits has none before.
func (p *progress) begun(e pipeline.Event) *activity {
	at := slices.IndexFunc(p.active, func(a activity) bool { return a.node == e.Node })
	if at < 0 {
		at = len(p.active)
		p.active = append(p.active, activity{node: e.Node, since: e.Time, state: running, tries: 1})
	}
	return &p.active[at]
}

func (p *progress) end(node string) {
	p.active = slices.DeleteFunc(p.active, func(a activity) bool { return a.node == node })
}

// lines returns the block: at most room lines, the last one sums up. None
// before the run has begun and after it has ended.
func (p *progress) lines(v *plainView, now time.Time, width, room int) []string {
	if p.plan == nil || p.ended || room < 1 {
		return nil
	}
	visible := p.active
	if len(visible) > room-1 {
		visible = visible[:max(0, room-2)] // and a line for the rest
	}
	var lines []string
	for _, a := range p.grouped(visible) {
		lines = append(lines, a.line(v, now, width))
	}
	if more := len(p.active) - len(visible); more > 0 && room > 1 {
		lines = append(lines, fmt.Sprintf("  … and %d more", more))
	}
	return append(lines, p.summary(v.palette, now, width))
}

// grouped puts the stages of a service together, the services in the order of
// the plan.
func (p *progress) grouped(stages []activity) []activity {
	at := map[string]int{}
	for i, node := range p.plan {
		if _, ok := at[serviceOf(node)]; !ok {
			at[serviceOf(node)] = i
		}
	}
	return slices.SortedStableFunc(slices.Values(stages), func(a, b activity) int {
		return at[serviceOf(a.node)] - at[serviceOf(b.node)]
	})
}

func serviceOf(node string) string {
	service, _, _ := strings.Cut(node, "/")
	return service
}

// leastText is the room for what a stage does below which the column of its
// state makes way.
const leastText = 24

// line is a stage in the block, in the columns of the plain view.
func (a *activity) line(v *plainView, now time.Time, width int) string {
	took, text := elapsed(now.Sub(a.since)), inOneLine(a.text)
	if a.state == held {
		took = elapsed(a.took)
	}
	if 2+v.names+2+stateWidth+2+leastText < width {
		return v.row(a.node, a.state, took, text)
	}
	if a.state == waiting {
		text = "waits " + text
	} else if a.state != running {
		text = a.state + ": " + text
	}
	return strings.TrimRight(fmt.Sprintf("  %-*s %7s  %s", v.names, v.name(a.node), took, text), " ")
}

// elapsed is a time that goes on: in whole seconds, so that the screen is calm.
func elapsed(d time.Duration) string {
	s := max(0, int(d.Seconds()))
	if s < 120 {
		return fmt.Sprintf("%d s", s)
	}
	return fmt.Sprintf("%d min %02d s", s/60, s%60)
}

// summary is the last line: a bar, where there is room, how far the run is and
// what came of it, the worst first, as far as there is room.
func (p *progress) summary(c palette, now time.Time, width int) string {
	parts := []string{fmt.Sprintf("%d of %d done", p.done, len(p.plan))}
	for _, state := range []pipeline.Status{
		pipeline.Failed, pipeline.Untested, pipeline.Cancelled, pipeline.Waived, pipeline.Skipped, pipeline.Inapplicable, upToDate,
	} {
		if n := p.settled[string(state)]; n > 0 {
			parts = append(parts, c.paint(colourOf(string(state)), fmt.Sprintf("%d %s", n, state)))
		}
	}
	bar := "  " + p.bar(c)
	for {
		line := "  " + strings.Join(parts, ", ") + " · " + elapsed(now.Sub(p.began))
		switch {
		case cells(bar+line) < width:
			return bar + line
		case bar != "":
			bar = ""
		case cells(line) < width || len(parts) == 1:
			return line
		default:
			parts = parts[:len(parts)-1]
		}
	}
}

// barWidth is the most columns of the bar; a smaller plan has one for each
// stage.
const barWidth = 20

// bar shows what is green, what is not, what runs and what is to come. The
// characters are those of code page 437, which every console's font has.
func (p *progress) bar(c palette) string {
	bad := p.settled[string(pipeline.Failed)]
	good := 0
	for _, s := range []pipeline.Status{pipeline.Passed, pipeline.Waived, pipeline.Inapplicable, upToDate} {
		good += p.settled[string(s)]
	}
	total, columns := len(p.plan), min(len(p.plan), barWidth)
	var b strings.Builder
	stages, at := 0, 0
	for _, zone := range []struct {
		stages        int
		glyph, colour string
	}{
		{good, "█", green}, {bad, "█", red}, {p.done - good - bad, "█", yellow},
		{len(p.active), "▒", yellow}, {total, "░", dim},
	} {
		stages = min(stages+zone.stages, total)
		to := stages * columns / max(total, 1)
		b.WriteString(c.paint(zone.colour, strings.Repeat(zone.glyph, to-at)))
		at = to
	}
	return b.String()
}
