package gotest

import (
	"context"
	"errors"
	"fmt"
	"io"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// Options says which tests to run. The zero value runs all untagged ones.
type Options struct {
	// Args are flags of `go test`: "-tags=module", "-race"; -json is added.
	Args []string
	// Packages are patterns; default "./...".
	Packages []string
	// Run is a regular expression for -run; empty runs all.
	Run string
	// TestArgs are given to the test binaries (-args).
	TestArgs []string
	// Env is added to the job's environment and to gotool.Env, "KEY=VALUE".
	Env []string
	// Dir is the root of the module; default the service's folder.
	Dir string
}

func (o Options) command() []string {
	args := append([]string{"test", "-json"}, o.Args...)
	if o.Run != "" {
		args = append(args, "-run="+o.Run)
	}
	if len(o.Packages) == 0 {
		args = append(args, "./...")
	}
	args = append(args, o.Packages...)
	if len(o.TestArgs) > 0 {
		args = append(append(args, "-args"), o.TestArgs...)
	}
	return args
}

// timeout lets a test binary end itself before the stage's time is up: it says
// which test was running, and where. It depends on nothing but the setting, for
// Go's test cache.
func timeout(n *pipeline.Node) []string {
	if n.Timeout == 0 {
		return nil
	}
	return []string{fmt.Sprintf("-timeout=%v", n.Timeout*9/10)}
}

// Run runs the tests, writes readable text to the job's log as it comes and
// adds all tests to the job's findings. Red tests are no error: the result
// tells of them. The error is a *pipeline.NotTested when the environment is to
// blame (no go, no network), or ctx's; the findings then hold what was done.
func Run(ctx context.Context, job *pipeline.Job, o Options) (*Result, error) {
	o.Args = append(timeout(job.Node), o.Args...)
	s := newStream(job)
	err := s.run(ctx, gotool.Go{Job: job, Dir: o.dir(job), Env: o.Env}.Command(o.command()...))
	return s.result(ctx, job, o.dir(job), err)
}

// stopped notes that the go command failed; that is red even when no test and
// no package says so.
func (r *Result) stopped(err error) {
	var failed *proc.Error
	if errors.As(err, &failed) {
		r.command = failed
	}
}

// limited passes on the first bytes only.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	_, err := l.w.Write(p[:n])
	return len(p), err
}
