package pipeline

import (
	"context"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// Stage is one kind of work with a verdict. Run does the work: nil means
// passed, an error failed, and the error types NotTested and NotApplicable the
// statuses of these names. Run must end soon after ctx does, and may be called
// again with a fresh Job when it failed for the environment's sake.
type Stage interface {
	Run(ctx context.Context, job *Job) error
}

// Keyer is a Stage whose verdict can be remembered: Key adds everything that
// the result depends on, except the outputs of the node's needs, which the
// engine adds itself. It must be fast and start no heavy process: it is called
// for every plan, and again after Run to notice inputs that changed meanwhile.
type Keyer interface {
	Key(ctx context.Context, in *evidence.Inputs) error
}

// Preflighter is a Stage with a cheap check (an engine answers, a port is
// free) that is made before anything of the plan runs. An error is reported
// like one of Run.
type Preflighter interface {
	Preflight(ctx context.Context) error
}

// Cleaner is a Stage that takes something outside of its Job's folders. Clean
// frees what this Job took; it is called after every Run, also a cancelled one,
// with a context that outlives the cancellation. It returns what it had to
// leave behind as an error.
type Cleaner interface {
	Clean(ctx context.Context, job *Job) error
}

// Node is a stage in its place: data only.
type Node struct {
	// Name identifies the node within a plan: "SERVICE/STAGE".
	Name string
	// Service and Kind are the two halves of the name.
	Service, Kind string
	// Dir is the absolute path of the service's folder.
	Dir   string
	Stage Stage
	// Needs names the nodes whose outputs this one reads: they are part of its
	// key and run before it.
	Needs []string
	// After names nodes that come first, and must not fail for the result of this
	// one to count, but whose outputs do not matter to it.
	After []string
	// Beside names nodes that are like those of After, only that this one does
	// not wait for them.
	Beside []string
	// Background lets the node's commands give way to those of other nodes.
	Background bool
	// OnDemand nodes run only when they are named or needed.
	OnDemand bool
	// Timeout bounds one Run; zero is no bound.
	Timeout time.Duration
	// Retries is how often Run is tried again after an environment failure.
	Retries int
	// Waive makes a failure or a missing test "waived" until its date.
	Waive *Waiver
}

// Waiver lets a stage be red for a reason and a time.
type Waiver struct {
	Reason string    `json:"reason"`
	Until  time.Time `json:"until"`
}
