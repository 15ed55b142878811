package repository

import "gitlab.com/selfcontained/pipeline/pipeline/evidence"

// Effect is one change of a registry.
type Effect struct {
	// Kind is "blob", "manifest" or "tag".
	Kind string `json:"kind"`
	// Target is the reference that changes: "host/path@sha256:..." or
	// "host/path:1.4".
	Target string `json:"target"`
	// Digest is what is there afterwards.
	Digest evidence.Digest `json:"digest"`
	// Was is what a tag named before; empty when it is new.
	Was evidence.Digest `json:"was,omitempty"`
}

// Journal is told each effect, before it (done is false) and after it. Effects
// that are there already are not told. An error before an effect prevents it
// and comes back; one after it comes back too. It is called by one goroutine at
// a time; effects on blobs may overlap when more than one job is allowed.
type Journal func(e Effect, done bool) error

// effect does something and tells the journal.
func (r *Repository) effect(e Effect, do func() error) error {
	if err := r.tell(e, false); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return r.tell(e, true)
}

func (r *Repository) tell(e Effect, done bool) error {
	if r.options.Journal == nil {
		return nil
	}
	r.journal.Lock()
	defer r.journal.Unlock()
	return r.options.Journal(e, done)
}
