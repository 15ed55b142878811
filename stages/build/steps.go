package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

// run runs all steps at the same time, each to its end, so that one run shows
// everything that is wrong. What a step says goes to the log in one piece.
func run(ctx context.Context, job *pipeline.Job, steps []step) error {
	errs := make([]error, len(steps))
	var wg sync.WaitGroup
	var mu sync.Mutex // guards the log and the list of running steps
	running := map[string]bool{}
	say := func(name string, on bool) {
		running[name] = on
		var names []string
		for _, s := range steps {
			if running[s.name] {
				names = append(names, s.name)
			}
		}
		job.Say(strings.Join(names, ", "))
	}
	for i, s := range steps {
		wg.Go(func() {
			mu.Lock()
			say(s.name, true)
			mu.Unlock()
			var log bytes.Buffer
			start := time.Now()
			errs[i] = s.run(ctx, gotool.Go{Job: job, Log: &log})
			mu.Lock()
			defer mu.Unlock()
			say(s.name, false)
			fmt.Fprintf(job.Log, "== %s (%.1f s)\n%s", s.name, time.Since(start).Seconds(), log.Bytes())
		})
	}
	wg.Wait()
	return verdict(ctx, steps, errs)
}

// verdict makes one error of those of the steps, which come in the order of
// their weight. What is red counts more than what could not be tested.
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
