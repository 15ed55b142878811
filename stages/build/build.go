package build

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// Options says what to build.
type Options struct {
	Service config.Service
	// Version is stamped into the variable that the setting stamp names.
	Version string
	// Sources are those of the service.
	Sources *source.Folder
}

// Stage builds one service. It is a pipeline.Stage, Keyer and Preflighter.
type Stage struct {
	o        Options
	settings config.Stage
}

// New returns the build stage of a service.
func New(o Options) *Stage {
	return &Stage{o: o, settings: o.Service.Stages["build"]}
}

// Key adds all code: that of tests too, because it is compiled.
func (s *Stage) Key(ctx context.Context, in *evidence.Inputs) error {
	tree, err := s.o.Sources.Scan(ctx)
	if err != nil {
		return err
	}
	tree.Code().AddTo(in)
	in.Value("version", s.o.Version)
	in.Value("name", s.o.Service.Name)
	in.Value("main", s.o.Service.Main)
	in.Value("platforms", strings.Join(s.o.Service.Platforms, " "))
	in.Value("setting build.generate", fmt.Sprint(s.generates()))
	in.Value("setting build.stamp", s.stamp())
	in.Tool("go", gotool.Version())
	return nil
}

// Preflight looks for the go command.
func (s *Stage) Preflight(context.Context) error { return gotool.Require() }

// Run makes the checks and builds the programs.
func (s *Stage) Run(ctx context.Context, job *pipeline.Job) error {
	if err := gotool.Require(); err != nil {
		return err
	}
	tree, err := s.o.Sources.Scan(ctx)
	if err != nil {
		return err
	}
	job.Say("reading the sources")
	if err := parse(job.Dir); err != nil {
		return err
	}
	checks, err := s.checks(tree)
	if err != nil {
		return err
	}
	// The programs come first: others wait for them, and nobody for the checks.
	return run(ctx, job, step{"programs", s.publish}, checks)
}

// checks are the steps that make nothing, in the order of their weight.
func (s *Stage) checks(tree *source.Tree) ([]step, error) {
	sources, err := readSources(tree)
	if err != nil {
		return nil, err
	}
	steps := []step{{"go vet", vet}, {"go mod", modules{sources}.run}}
	if s.generates() && sources.directives() {
		steps = append(steps, step{"go generate", generator{sources}.run})
	}
	return steps, nil
}

func (s *Stage) generates() bool { return s.settings.Generate == nil || *s.settings.Generate }

// stamp is the variable that gets the version.
func (s *Stage) stamp() string { return cmp.Or(s.settings.Stamp, "main.version") }

// publish builds the programs and lets others begin with them.
func (s *Stage) publish(ctx context.Context, g gotool.Go) error {
	built, err := s.programs(ctx, g)
	if err != nil {
		return err
	}
	if err := s.write(g.Job.Out, built); err != nil {
		return err
	}
	g.Job.Findings.Summary = "library"
	var parts []string
	for _, b := range built {
		parts = append(parts, fmt.Sprintf("%s %.1f MB", b.Platform, float64(b.Size)/1e6))
	}
	if len(parts) > 0 {
		g.Job.Findings.Summary = strings.Join(parts, ", ")
	}
	return g.Job.Publish()
}
