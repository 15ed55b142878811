package pipeline

import (
	"fmt"
	"slices"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// A stage that has published its outputs lets those behind it run ahead of its
// own end: the checks of a build go on while its program is packed and
// deployed. What ran ahead gets its result only after all that it builds on
// have theirs, so that the outcome of a run is the same as if each had waited;
// when one of them turns out red, what ran ahead of it is cancelled and
// skipped.

// publication says that the outputs of a node are in place before its end.
type publication struct {
	node    string
	outputs []evidence.Output
}

// release settles what was held back, as far as all that it stands on have
// results.
func (s *scheduler) release() {
	for i := 0; i < len(s.held); i++ {
		f := s.held[i]
		if n := s.e.Plan.Node(f.result.Node); s.settled(n.grounds()) {
			s.held = slices.Delete(s.held, i, i+1)
			s.settle(s.judge(n, f.result))
			i = -1 // others may have waited for this one
		}
	}
}

// awaited returns a node without a result that the one which ended stands on;
// "" when its own result is there.
func (s *scheduler) awaited(node string) string {
	if _, ok := s.results[node]; ok {
		return ""
	}
	for _, n := range s.e.Plan.Node(node).grounds() {
		if _, ok := s.results[n]; !ok {
			return n
		}
	}
	return ""
}

func (s *scheduler) settled(nodes []string) bool {
	for _, n := range nodes {
		if _, ok := s.results[n]; !ok {
			return false
		}
	}
	return true
}

// judge returns the result of a node that ran: its own, or skipped if what it
// ran ahead of has become red. Who cancels a run cancels all that runs.
func (s *scheduler) judge(n *Node, r Result) Result {
	dep, status := s.obstacle(n)
	if dep == "" || r.Status == Cancelled && s.cancelled {
		return r
	}
	return Result{
		Node: r.Node, Service: r.Service, Kind: r.Kind, Started: r.Started, Duration: r.Duration, Left: r.Left, Log: r.Log,
		Status: Skipped, Message: fmt.Sprintf("because %s is %s", dep, status),
	}
}

// obstacle returns the first node whose result keeps this one from running or
// from counting, and that result's status; "" if there is none so far.
func (s *scheduler) obstacle(n *Node) (dep string, status Status) {
	for _, dep := range n.Needs {
		if r, ok := s.results[dep]; ok && !r.Status.Opens() {
			return dep, r.Status
		}
	}
	for _, dep := range slices.Concat(n.After, n.Beside) {
		if r, ok := s.results[dep]; ok && blocks(r.Status) {
			return dep, r.Status
		}
	}
	return "", ""
}

// cancelAhead ends the nodes that run ahead of what has become red.
func (s *scheduler) cancelAhead() {
	for name, cancel := range s.cancels {
		if dep, _ := s.obstacle(s.e.Plan.Node(name)); dep != "" {
			cancel()
		}
	}
}
