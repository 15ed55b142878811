package integration

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/gotest"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// compileTests lets the go command compile the tests while the pods start. It
// only fills Go's cache: what is wrong with the tests is told when they run.
func (s *Stage) compileTests(ctx context.Context, job *pipeline.Job) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		files, err := gotool.TestFiles(s.o.Service.Dir, Tag)
		if err != nil || len(files) == 0 || gotool.Require() != nil {
			return
		}
		args := append([]string{"go", "test", "-tags=" + Tag, "-count=1", "-run=^$"}, gotool.Packages(files)...)
		cmd := job.Command(args...)
		cmd.Env = append(cmd.Env, gotool.Env()...)
		cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
		_ = cmd.Run(ctx)
	}()
	return done
}

// test runs the tests with the build tag, and only these.
func (d *deployment) test(ctx context.Context, compiled <-chan struct{}) error {
	files, err := gotool.TestFiles(d.stage.o.Service.Dir, Tag)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return &pipeline.NotTested{
			Why:    "the service gets ready, but there is no integration test",
			Remedy: "write Go tests with the line //go:build " + Tag + " that dial $PIPELINE_ADDR",
		}
	}
	env, stop, err := d.endpoints(ctx)
	if err != nil {
		return err
	}
	defer stop()
	<-compiled
	d.job.Say("testing")
	result, err := gotest.Run(ctx, d.job, gotest.Options{
		Args: []string{"-tags=" + Tag, "-count=1"}, Packages: gotool.Packages(files), Run: names(files), Env: env,
	})
	if err != nil {
		return err
	}
	d.laps.done("tests")
	d.job.Findings.Summary = fmt.Sprintf("%s in %s, %s", result.Summary(), d.lease.Cluster().Name, d.laps)
	return result.Err(Tag)
}

// names is the pattern that selects the tagged tests among those that are
// compiled along with them.
func names(files []gotool.TestFile) string {
	var all []string
	for _, f := range files {
		all = append(all, f.Tests...)
	}
	return "^(" + strings.Join(all, "|") + ")$"
}

// laps tells how long each part of the stage took.
type laps struct {
	job   *pipeline.Job
	last  time.Time
	notes []string
}

func newLaps(job *pipeline.Job) *laps { return &laps{job: job, last: time.Now()} }

// done ends a part.
func (l *laps) done(what string) {
	now := time.Now()
	took := now.Sub(l.last)
	l.last = now
	fmt.Fprintf(l.job.Log, "%6.2f s  %s\n", took.Seconds(), what)
	if what == "ready" || what == "tests" {
		l.notes = append(l.notes, fmt.Sprintf("%s %.1f s", what, took.Seconds()))
	}
}

// String lists the parts that a person wants to know of.
func (l *laps) String() string { return strings.Join(l.notes, ", ") }

// firstLines returns at most n lines of text.
func firstLines(text string, n int) string {
	lines := strings.SplitAfterN(text, "\n", n+1)
	return strings.TrimRight(strings.Join(lines[:min(n, len(lines))], ""), "\n")
}
