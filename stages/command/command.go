package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
)

// Options says what to run.
type Options struct {
	Service config.Service
	// Kind is the name of the stage in Service.Stages.
	Kind string
	// Version is given to the command as PIPELINE_VERSION and part of the key;
	// leave it empty for a command that does not stamp it.
	Version string
	// Sources are those of the service.
	Sources *source.Folder
}

// Stage runs one command. It is a pipeline.Stage and Keyer.
type Stage struct {
	o        Options
	settings config.Stage
}

// New returns a stage that runs Service.Stages[Kind].Command.
func New(o Options) *Stage {
	return &Stage{o: o, settings: o.Service.Stages[o.Kind]}
}

// Key adds the files that the inputs name, by default all sources, and the
// settings. Environment values are hashed and not shown: they may be secret.
func (s *Stage) Key(ctx context.Context, in *evidence.Inputs) error {
	tree, _, err := s.inputs(ctx)
	if err != nil {
		return err
	}
	tree.AddTo(in)
	set := s.settings
	in.Value("command", proc.Quote(set.Command))
	in.Value("version", s.o.Version)
	in.Value("setting outputs", proc.Quote(set.Outputs))
	in.Values("setting reports", set.Reports)
	in.Value("setting coverage", strconv.FormatFloat(set.Coverage, 'g', -1, 64))
	for k, v := range set.Env {
		in.Digest("env "+k, evidence.Sum([]byte(v)))
	}
	return nil
}

// inputs returns the sources that count, and the patterns that match none.
func (s *Stage) inputs(ctx context.Context) (*source.Tree, []string, error) {
	tree, err := s.o.Sources.Scan(ctx)
	if err != nil || len(s.settings.Inputs) == 0 {
		return tree, nil, err
	}
	used := map[string]bool{}
	tree = tree.Filter(func(p string) bool {
		keep := false
		for _, pattern := range s.settings.Inputs {
			if Match(pattern, p) {
				keep, used[pattern] = true, true
			}
		}
		return keep
	})
	unused := slices.DeleteFunc(slices.Clone(s.settings.Inputs), func(p string) bool { return used[p] })
	return tree, unused, nil
}

// Run runs the command and reads its reports, also when it failed.
func (s *Stage) Run(ctx context.Context, job *pipeline.Job) error {
	if len(s.settings.Command) == 0 {
		return fmt.Errorf("stage %s has no command", s.o.Kind)
	}
	_, unused, err := s.inputs(ctx)
	if err != nil {
		return err
	}
	if len(unused) > 0 {
		return &pipeline.Failure{
			Summary: "inputs match no file: " + strings.Join(unused, ", "),
			Cause:   "Changes would not be noticed. Patterns are relative to the service; ** stands for any folders.",
		}
	}
	last := &tail{}
	cmd := job.Command(s.settings.Command...)
	cmd.Env = append(cmd.Env, s.environment(job)...)
	cmd.Stdout = io.MultiWriter(job.Log, last)
	cmd.Stderr = cmd.Stdout
	fmt.Fprintf(job.Log, "$ %s\n", proc.Quote(cmd.Args))
	err = cmd.Run(ctx)
	if ctx.Err() != nil {
		return err
	}
	if missing := missingProgram(err, s.settings.Command[0]); missing != nil {
		return missing
	}
	reports := s.readReports(job)
	if err != nil {
		return cmp.Or(redTests(job.Findings), failure(err, last))
	}
	return s.judge(job, reports)
}

// environment returns what the command is told.
func (s *Stage) environment(job *pipeline.Job) []string {
	env := []string{
		"PIPELINE_OUT=" + job.Out, "PIPELINE_KEPT=" + job.Kept, "PIPELINE_SCRATCH=" + job.Scratch,
		"PIPELINE_SERVICE=" + s.o.Service.Name,
	}
	if s.o.Version != "" {
		env = append(env, "PIPELINE_VERSION="+s.o.Version)
	}
	for _, need := range s.settings.Needs {
		if dir, ok := job.Need(need); ok {
			env = append(env, NeedVariable(need)+"="+dir)
		}
	}
	var own []string
	for k, v := range s.settings.Env {
		own = append(own, k+"="+v)
	}
	slices.Sort(own)
	return append(env, own...)
}

// NeedVariable returns the name of the variable for the outputs of a need:
// PIPELINE_NEED_BUILD, PIPELINE_NEED_STOCK_CONTAINER for "stock/container".
func NeedVariable(need string) string {
	return "PIPELINE_NEED_" + strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return r
		}
		return '_'
	}, need)
}

// missingProgram returns a *pipeline.NotTested when the program is not there.
func missingProgram(err error, name string) error {
	if err == nil || !proc.NotFound(err) && !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return &pipeline.NotTested{
		Why:    fmt.Sprintf("the program %s is not there", name),
		Remedy: "install it, or run the stage in an image that has it",
		Err:    err,
	}
}

// failure shows how the command's output ended.
func failure(err error, last *tail) error {
	var e *proc.Error
	if !errors.As(err, &e) {
		return err
	}
	f := &pipeline.Failure{Summary: fmt.Sprintf("%s: exit status %d", e.Args[0], e.ExitCode), Cause: last.String()}
	switch {
	case errors.Is(err, fs.ErrPermission):
		f.Summary = e.Args[0] + " cannot be executed"
		f.Cause = "Make it executable and commit that: git update-index --chmod=+x " + e.Args[0]
	case e.Signal != 0:
		f.Summary = fmt.Sprintf("%s: ended by signal %v", e.Args[0], e.Signal)
	case e.ExitCode < 0:
		return err // it could not be started
	}
	return f
}

// missing returns which of the promised outputs are not there.
func missing(root *os.Root, outputs []string) []string {
	return slices.DeleteFunc(slices.Clone(outputs), func(name string) bool {
		_, err := root.Stat(strings.TrimSuffix(name, "/"))
		return err == nil
	})
}
