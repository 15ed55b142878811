package lint

import (
	"context"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// Options says what to look at.
type Options struct {
	Service config.Service
	// Sources are those of the service.
	Sources *source.Folder
	// CacheDir keeps the built staticcheck and what it remembers; shared by all
	// services and runs, safe to delete.
	CacheDir string
}

// Stage analyses one service. It is a pipeline.Stage, Keyer and Preflighter.
type Stage struct {
	o        Options
	settings config.Stage
}

// New returns the lint stage of a service.
func New(o Options) *Stage {
	return &Stage{o: o, settings: o.Service.Stages["lint"]}
}

// Key adds all code, the checks, and the version of staticcheck unless the
// sources say it.
func (s *Stage) Key(ctx context.Context, in *evidence.Inputs) error {
	tree, err := s.o.Sources.Scan(ctx)
	if err != nil {
		return err
	}
	tree.Code().AddTo(in)
	in.Value("setting lint.checks", strings.Join(s.settings.Checks, ","))
	if !gotool.HasTool(s.o.Sources.Dir, staticcheckPath) {
		in.Value("staticcheck", StaticcheckVersion)
	}
	in.Tool("go", gotool.Version())
	return nil
}

// Preflight looks for the go command.
func (s *Stage) Preflight(context.Context) error { return gotool.Require() }

// Run analyses the code with each tag.
func (s *Stage) Run(ctx context.Context, job *pipeline.Job) error {
	if err := gotool.Require(); err != nil {
		return err
	}
	passes, err := passes(job.Dir)
	if err != nil {
		return err
	}
	check, err := s.staticcheck(ctx, job)
	if err != nil {
		return err
	}
	found := &issues{dir: job.Dir}
	for _, p := range passes {
		job.Say(strings.TrimSpace("go vet " + p.tags()))
		if err := vet(ctx, job, p, found); err != nil {
			return err
		}
		job.Say(strings.TrimSpace("staticcheck " + p.tags()))
		if err := check.run(ctx, job, p, found); err != nil {
			return err
		}
	}
	job.Findings.Issues = found.sorted()
	job.Findings.Summary = summary(job.Findings.Issues)
	return judge(job.Findings.Issues)
}

// pass is one look at some packages.
type pass struct {
	tag      string
	packages []string
}

func (p pass) tags() string {
	if p.tag == "" {
		return ""
	}
	return "-tags=" + p.tag
}

// args returns flags and packages for a command.
func (p pass) args(flags ...string) []string {
	if p.tag != "" {
		flags = append(flags, p.tags())
	}
	return append(flags, p.packages...)
}

// passes returns one pass over everything and one for each tag of tests that
// some package knows. Both tags at once would not do: the levels of tests may
// share a package and declare the same names.
func passes(dir string) ([]pass, error) {
	list := []pass{{packages: []string{"./..."}}}
	for _, tag := range gotool.TestTags() {
		packages, err := gotool.Tagged(dir, tag)
		if err != nil {
			return nil, err
		}
		if len(packages) > 0 {
			list = append(list, pass{tag, packages})
		}
	}
	return list, nil
}
