package release

import (
	"context"
	"fmt"
)

// Step is one thing that a release does to the outside world.
type Step struct {
	Name string // one word: "bundle", "tag"
	What string // "push registry.example.com/shop/stock@sha256:..."
	// Look reports whether the effect is there. An error says that something
	// stands in the way, and what to do.
	Look func(context.Context) (there bool, err error)
	// Do makes the effect be there. It looks itself, and may be repeated.
	Do func(context.Context) error
}

// State is what Check found of a step.
type State struct {
	Name  string `json:"name"`
	What  string `json:"what"`
	There bool   `json:"there"`
	Done  bool   `json:"done,omitempty"` // by this run
	// Problem stands in the way; empty when nothing does.
	Problem string `json:"problem,omitempty"`
}

// Check looks at all steps without changing anything. The error is the first
// problem; the states are complete all the same, as far as ctx allows.
func Check(ctx context.Context, steps []Step) ([]State, error) {
	states := make([]State, len(steps))
	var first error
	for i, s := range steps {
		states[i] = State{Name: s.Name, What: s.What}
		there, err := s.Look(ctx)
		states[i].There = there
		if err == nil {
			continue
		}
		states[i].Problem = err.Error()
		if first == nil {
			first = fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return states, first
}

// Apply does what is missing, in order, and tells each step before (done is
// false) and after it. It ends with the first error: what was done stays, and
// running it again does the rest.
func Apply(ctx context.Context, steps []Step, tell func(s Step, done bool)) error {
	for _, s := range steps {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		there, err := s.Look(ctx)
		if err == nil && !there {
			tell(s, false)
			err = s.Do(ctx)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		tell(s, true)
	}
	return nil
}
