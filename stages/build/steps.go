package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// step is one check; steps do not depend on each other.
type step struct {
	name string
	run  func(context.Context, gotool.Go) error
}

// run runs the first step alone and then the others at the same time, each to
// its end, so that one run shows everything that is wrong. What a step says
// goes to the log in one piece.
func run(ctx context.Context, job *pipeline.Job, first step, others []step) error {
	job.Say(first.name)
	r := &runner{job: job, running: map[string]bool{}}
	firstErr := r.run(ctx, first)
	errs := make([]error, len(others))
	for _, s := range others {
		r.running[s.name] = true
	}
	r.say()
	var wg sync.WaitGroup
	for i, s := range others {
		wg.Go(func() { errs[i] = r.run(ctx, s) })
	}
	wg.Wait()
	return verdict(ctx, append(others, first), append(errs, firstErr))
}

// runner runs steps that share a log.
type runner struct {
	job     *pipeline.Job
	mu      sync.Mutex
	running map[string]bool
}

// say tells what runs at the moment.
func (r *runner) say() { r.job.Say(strings.Join(slices.Sorted(maps.Keys(r.running)), ", ")) }

func (r *runner) run(ctx context.Context, s step) error {
	var log bytes.Buffer
	start := time.Now()
	err := s.run(ctx, gotool.Go{Job: r.job, Log: &log})
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.running, s.name)
	r.say()
	fmt.Fprintf(r.job.Log, "== %s (%.1f s)\n%s", s.name, time.Since(start).Seconds(), log.Bytes())
	return err
}

// verdict makes one error of those of the steps, in their order. What is red counts more than what could not be tested.
func verdict(ctx context.Context, steps []step, errs []error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var red []*pipeline.Failure
	var rest error
	compiles := true
	for i, err := range errs {
		var f *pipeline.Failure
		switch {
		case errors.As(err, &f):
			if steps[i].name == "programs" && !compiles {
				continue // go vet has said it
			}
			compiles = compiles && steps[i].name != "go vet"
			red = append(red, f)
		case err != nil && rest == nil:
			rest = fmt.Errorf("%s: %w", steps[i].name, err)
		}
	}
	if len(red) > 0 {
		return merge(red)
	}
	return rest
}

// merge shows the first failure in full and, as far as there is room, the
// beginning of the others.
func merge(red []*pipeline.Failure) *pipeline.Failure {
	if len(red) == 1 {
		return red[0]
	}
	var summaries, lines []string
	for i, f := range red {
		summaries = append(summaries, f.Summary)
		share := max((gotool.CauseLines-len(lines))/(len(red)-i)-1, 1)
		lines = append(lines, f.Summary+":")
		lines = append(lines, strings.Split(gotool.Excerpt(f.Cause, share), "\n")...)
	}
	return &pipeline.Failure{
		Summary: strings.Join(summaries, "; "),
		Cause:   gotool.Excerpt(strings.Join(lines, "\n"), gotool.CauseLines),
	}
}
