package pipeline

import "time"

// Event is one thing that happened in a run. Type tells which of the other
// fields are set.
type Event struct {
	Type EventType `json:"type"`
	Time time.Time `json:"time"`
	Run  string    `json:"run,omitempty"`
	// Version of the tool's record format, in the first event.
	Schema int `json:"schema,omitempty"`
	// Plan is the list of nodes, in the first event.
	Plan []string `json:"plan,omitempty"`
	Node string   `json:"node,omitempty"`
	// Text is what the stage says, the reason to run, or whom it waits for.
	Text   string  `json:"text,omitempty"`
	Result *Result `json:"result,omitempty"`
	Status string  `json:"status,omitempty"`
}

// EventType names an event.
type EventType string

// The events in the order in which they can come. Every node that was begun
// ends with one EventFinish, also when the run is cancelled.
const (
	EventRun    EventType = "run"    // Run, Schema, Plan
	EventWarn   EventType = "warn"   // Node, Text: what its check before the run found
	EventStart  EventType = "start"  // Node, Text: why it runs
	EventSay    EventType = "say"    // Node, Text: what it does now
	EventWait   EventType = "wait"   // Node, Text: for whom
	EventRetry  EventType = "retry"  // Node, Text: why
	EventHold   EventType = "hold"   // Node, Text: the end of what it awaits before its result counts
	EventFinish EventType = "finish" // Node, Result
	EventEnd    EventType = "end"    // Status
)

// Observer sees the events of a run in the order in which they happened, one
// at a time. It must not block for long.
type Observer interface{ Observe(Event) }

// Result is the outcome of one node in one run.
type Result struct {
	Node     string        `json:"node"`
	Service  string        `json:"service"`
	Kind     string        `json:"kind"`
	Status   Status        `json:"status"`
	UpToDate bool          `json:"upToDate,omitempty"`
	Started  time.Time     `json:"started"`
	Duration time.Duration `json:"duration"` // nanoseconds
	// LookedFor results are of stages that were not to run (Engine.Only) and had
	// no verdict to take.
	LookedFor bool `json:"lookedFor,omitempty"`
	// Message is the summary of a passed stage and the error of another.
	Message string `json:"message,omitempty"`
	// Cause is what to look at first when it failed: some lines.
	Cause string `json:"cause,omitempty"`
	// Left is what could not be cleaned up.
	Left     string    `json:"left,omitempty"`
	Log      string    `json:"log,omitempty"` // path
	Findings *Findings `json:"-"`
}
