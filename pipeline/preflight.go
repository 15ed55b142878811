package pipeline

import (
	"context"
	"sync"
)

// preflight makes the cheap checks of all stages that may have to run, at once
// and before anything runs: what is missing at the end of a plan should be
// known at its beginning. A stage whose inputs are not known yet may turn out
// to be up to date, so a failed check counts only when its stage is to run.
func (s *scheduler) preflight(ctx context.Context) error {
	if !s.e.hasPreflights() {
		return nil
	}
	decisions, err := s.e.Decide(ctx)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, d := range decisions {
		p, ok := d.Node.Stage.(Preflighter)
		if !ok || d.UpToDate || !s.e.may(d.Node.Name) {
			continue
		}
		wg.Go(func() {
			err := p.Preflight(ctx)
			if err == nil || ctx.Err() != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			s.grounded[d.Node.Name] = err
			s.rec.event(Event{Type: EventWarn, Node: d.Node.Name, Text: s.e.Masker.String(err.Error())})
		})
	}
	wg.Wait()
	return nil
}

func (e *Engine) hasPreflights() bool {
	for _, n := range e.Plan.nodes {
		if _, ok := n.Stage.(Preflighter); ok {
			return true
		}
	}
	return false
}
