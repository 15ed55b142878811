package report

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// page is what the templates show. All text in it is clean.
type page struct {
	frame
	Mark     mark
	Favicon  template.URL
	Title    string
	Counts   []statusCount
	Meta     []pair
	Red      []*stageView
	Services []serviceView
	Stages   []*stageView
	Timeline *timeline
	Sections []section
	// Has tells which sections there are, by their names.
	Has map[string]bool

	Failures                          []*testView
	FailingNote, TestsNote, TestsLeft string
}

// section is a link to a part of the page.
type section struct{ ID, Name string }

// pair is a name with its value.
type pair struct{ Name, Value string }

// serviceView is a service with its stages.
type serviceView struct {
	ID, Name string
	Version  string
	Stages   []*stageView
}

// statusCount is how many stages have a status, and how many of them were up to
// date, "" for none.
type statusCount struct {
	Mark  mark
	N     int
	Fresh string
}

// stageView is a stage with all that was found in it.
type stageView struct {
	// ID is the end of the ids of all that belongs to the stage.
	ID                  string
	Service, Kind, Name string
	Mark                mark
	UpToDate            bool
	Took, What, Cause   string
	Version, Left       string
	Command             []string // that runs the stage again, word by word
	FirstFailure        string   // id of the first failing test, ""

	Packages   []*packageView
	Coverage   *coverageView
	Images     []imageView
	Events     *eventsView
	Benchmarks *benchmarksView
	Issues     *issuesView
	Facts      []factView
	Log        logView
}

// page makes the view of a run.
func (run Run) page() *page {
	p := &page{Mark: markOf(pipeline.Status(run.Status)), Has: map[string]bool{}}
	p.Favicon = favicon(p.Mark.colour)
	used := map[string]bool{}
	for _, s := range run.Stages {
		v := run.stageView(s)
		v.ID = free(used, fileName(v.Service)+"-"+fileName(v.Kind), "")
		p.Stages = append(p.Stages, v)
	}
	p.group(used)
	p.head(run)
	p.findings(run)
	p.Timeline = run.timeline(p.Stages)
	run.logs(p.Stages)
	p.sections()
	return p
}

func (run Run) stageView(s Stage) *stageView {
	v := &stageView{
		Service: oneLine(bound(s.Service)), Kind: oneLine(bound(s.Kind)), Mark: markOf(s.Status), UpToDate: s.UpToDate,
		What: oneLine(shorten(s.what(), maxDescription)), Cause: cause(s.Cause),
	}
	if !s.UpToDate {
		v.Took = duration(s.Duration)
	}
	v.Version, v.Left = oneLine(bound(s.Version)), oneLine(bound(s.Left))
	v.Name = v.Service + "/" + v.Kind
	v.Command = []string{"pipeline", "run", shellWord(v.Kind)}
	if len(run.services()) > 1 {
		v.Command = append(v.Command, "--service", shellWord(v.Service))
	}
	v.Command = append(v.Command, "--force")
	return v
}

// shellWord quotes a word that a shell would take apart: people copy it.
func shellWord(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./", r)
	}
	if text != "" && strings.TrimLeftFunc(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// cause returns the first lines of a cause, each of a bounded length.
func cause(text string) string {
	lines := strings.Split(strings.Trim(clean(shorten(text, maxCauseLines*maxCauseLine)), "\n"), "\n")
	if more := len(lines) - maxCauseLines; more > 0 {
		lines = append(lines[:maxCauseLines], fmt.Sprintf("[%d more lines]", more))
	}
	return strings.Join(lines, "\n")
}

// group sorts the stages by their services.
func (p *page) group(used map[string]bool) {
	index := map[string]int{}
	for _, v := range p.Stages {
		i, ok := index[v.Service]
		if !ok {
			i = len(p.Services)
			index[v.Service] = i
			p.Services = append(p.Services, serviceView{ID: free(used, fileName(v.Service), ""), Name: v.Service, Version: v.Version})
		}
		p.Services[i].Stages = append(p.Services[i].Stages, v)
	}
}

// head makes the verdict: what is red, failures first.
func (p *page) head(run Run) {
	var names []string
	for _, s := range p.Services {
		names = append(names, s.Name)
	}
	version := oneLine(bound(run.Version))
	if len(names) > 1 {
		version = "" // each has its own
	}
	p.Title = oneLine(bound(strings.Join(names, ", ")))
	if len(names) == 1 && version != "" {
		p.Title += " " + version
	}
	for _, m := range marks() {
		red := m.red
		for _, v := range p.Stages {
			if v.Mark.Class == m.Class && (red || m.Class == "waived" && v.Cause != "") {
				p.Red = append(p.Red, v)
			}
		}
	}
	p.count()
	if run.Duration > 0 {
		p.Meta = append(p.Meta, pair{"took", duration(run.Duration)})
	}
	if !run.Started.IsZero() {
		p.Meta = append(p.Meta, pair{"started", run.Started.UTC().Format("2006-01-02 15:04:05 UTC")})
	}
	for _, m := range []pair{{"version", version}, {"run", oneLine(bound(run.ID))}} {
		if m.Value != "" {
			p.Meta = append(p.Meta, m)
		}
	}
	if run.Status == "" {
		p.Meta = append(p.Meta, pair{"note", "the run has not ended: it is going on, or was killed"})
	}
}

func (p *page) count() {
	for _, m := range marks() {
		c, fresh := statusCount{Mark: m}, 0
		for _, v := range p.Stages {
			if v.Mark.Class != m.Class {
				continue
			}
			c.Mark, c.N = v.Mark, c.N+1
			if v.UpToDate {
				fresh++
			}
		}
		if c.Fresh = strings.TrimPrefix(fmt.Sprint(fresh), "0"); fresh == c.N && fresh > 0 {
			c.Fresh = "all"
		}
		if c.N > 0 {
			p.Counts = append(p.Counts, c)
		}
	}
}

// findings adds what the stages found to their views.
func (p *page) findings(run Run) {
	tests := &testLister{run: run, page: p}
	for i, v := range p.Stages {
		f := run.Stages[i].Findings
		if f == nil {
			continue
		}
		tests.add(v, run.Stages[i])
		v.Coverage = coverageOf(v, f.Coverage)
		v.Images = imagesOf(f.Layers)
		v.Events = eventsOf(v, f.Events)
		v.Benchmarks = benchmarksOf(f.Benchmarks)
		v.Issues = run.issuesOf(v, run.Stages[i])
		v.Facts = factsOf(f.Facts)
		p.has("tests", v.Packages != nil)
		p.has("coverage", v.Coverage != nil)
		p.has("image", v.Images != nil)
		p.has("events", v.Events != nil)
		p.has("benchmarks", v.Benchmarks != nil)
		p.has("issues", v.Issues != nil)
		p.has("facts", v.Facts != nil)
	}
	tests.end()
}

func (p *page) has(name string, here bool) { p.Has[name] = p.Has[name] || here }

// sections lists the parts of the page that there are.
func (p *page) sections() {
	p.has("stages", true)
	p.has("timeline", p.Timeline != nil)
	p.has("failing", len(p.Failures) > 0)
	p.has("logs", true)
	for _, s := range []section{
		{"stages", "Stages"}, {"timeline", "Timeline"}, {"failing", "Failing tests"}, {"tests", "Tests"}, {"coverage", "Coverage"},
		{"image", "Image"}, {"events", "Cluster"}, {"benchmarks", "Benchmarks"}, {"issues", "Lint"}, {"facts", "Facts"}, {"logs", "Logs"},
	} {
		if p.Has[s.ID] {
			p.Sections = append(p.Sections, s)
		}
	}
}

// mark is how a status looks: the name of its shape and its colours, and its
// words.
type mark struct {
	Class, Text string
	red         bool // worth to be seen first
	colour      string
}

// Title returns the words as the beginning of a line.
func (m mark) Title() string {
	if first := m.Text[:1]; first >= "a" && first <= "z" {
		return strings.ToUpper(first) + m.Text[1:]
	}
	return m.Text
}

// Failed returns the mark of what failed.
func (mark) Failed() mark { return markOf(pipeline.Failed) }

// marks returns all marks, what matters most first.
func marks() []mark {
	const red, amber, green, grey = "#c4443a", "#b37400", "#1b7a37", "#6b7480"
	return []mark{
		{"failed", string(pipeline.Failed), true, red}, {"unknown", "unfinished", true, grey},
		{"untested", string(pipeline.Untested), true, amber}, {"cancelled", string(pipeline.Cancelled), false, grey},
		{"skipped", string(pipeline.Skipped), false, grey}, {"waived", string(pipeline.Waived), false, amber},
		{"passed", string(pipeline.Passed), false, green}, {"none", string(pipeline.Inapplicable), false, grey},
	}
}

// markOf returns the mark of a status. One that is not known is red: nothing is
// green by absence.
func markOf(s pipeline.Status) mark {
	all := marks()
	if i := slices.IndexFunc(all, func(m mark) bool { return m.Text == string(s) && m.Class != "unknown" }); i >= 0 {
		return all[i]
	}
	m := all[1]
	m.Text = cmp.Or(oneLine(bound(string(s))), m.Text)
	return m
}
