package promote

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/passport"
)

// Unread is something that refers to a bundle or a combination and could not be
// read. It may have been evidence.
type Unread struct {
	Repository string          `json:"repository"`
	Subject    evidence.Digest `json:"subject"`
	Manifest   evidence.Digest `json:"manifest"`
	Why        string          `json:"why"`
}

// Opener returns the repository that a member lies in.
type Opener func(scs.Member) (*repository.Repository, error)

// ReadEvidence returns what is attached in one repository to a combination and
// to its members: nothing for what is not there. Nothing of it is verified.
func ReadEvidence(ctx context.Context, in *repository.Repository, c scs.Combination) (passport.Evidence, []Unread, error) {
	all := reading{ev: passport.Evidence{}}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2 * in.Jobs())
	for _, about := range subjects(c) {
		group.Go(func() error { return all.list(ctx, in, about) })
	}
	return all.ev, all.unread, group.Wait()
}

// ReadSources returns what is attached to the members where they come from.
func ReadSources(ctx context.Context, open Opener, c scs.Combination) (passport.Evidence, []Unread, error) {
	all := reading{ev: passport.Evidence{}}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, m := range c.Members {
		group.Go(func() error {
			in, err := open(m)
			if err != nil {
				return err
			}
			return all.list(ctx, in, m.Bundle)
		})
	}
	return all.ev, all.unread, group.Wait()
}

// subjects are the members' bundles, each once, and the combination.
func subjects(c scs.Combination) []evidence.Digest {
	var list []evidence.Digest
	for _, m := range c.Members {
		list = append(list, m.Bundle)
	}
	slices.Sort(list)
	return append(slices.Compact(list), c.ID())
}

type reading struct {
	mu     sync.Mutex
	ev     passport.Evidence
	unread []Unread
}

func (r *reading) list(ctx context.Context, in *repository.Repository, about evidence.Digest) error {
	attached, err := attach.List(ctx, in, about)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range attached {
		switch {
		case a.Err != nil:
			r.unread = append(r.unread, Unread{in.String(), about, a.Manifest, a.Err.Error()})
		case !slices.ContainsFunc(r.ev[about], sameAs(a.Envelope)):
			r.ev[about] = append(r.ev[about], a.Envelope)
		}
	}
	slices.SortFunc(r.unread, func(a, b Unread) int {
		return bytes.Compare([]byte(a.Repository+a.Manifest.Hex()), []byte(b.Repository+b.Manifest.Hex()))
	})
	return nil
}

func sameAs(envelope []byte) func([]byte) bool {
	return func(other []byte) bool { return bytes.Equal(envelope, other) }
}

// Join returns all evidence of several places, each envelope once. What is
// handed in is not changed.
func Join(all ...passport.Evidence) passport.Evidence {
	joined := passport.Evidence{}
	for _, ev := range all {
		for about, envelopes := range ev {
			for _, e := range envelopes {
				if !slices.ContainsFunc(joined[about], sameAs(e)) {
					joined[about] = append(joined[about], e)
				}
			}
		}
	}
	return joined
}

// FileEvidence returns the evidence among the files of an environment's commit.
// Files that cannot be read have none.
func FileEvidence(files map[string][]byte) passport.Evidence {
	ev := passport.Evidence{}
	for name, data := range files {
		envelopes, err := scs.SplitEvidence(name, data)
		if err != nil {
			continue
		}
		for _, e := range envelopes {
			if _, about, err := sign.Peek(e); err == nil {
				ev[about] = append(ev[about], e)
			}
		}
	}
	for _, envelopes := range ev {
		slices.SortFunc(envelopes, bytes.Compare)
	}
	return ev
}

// ReadSeen returns what a registry knows of an environment: the promotion with
// the highest number of the combination that the environment's tag names. It is
// the second place, beside the branch, from which an older state that is played
// again is recognised.
func ReadSeen(ctx context.Context, in *repository.Repository, env string, r passport.Rules) (passport.Seen, error) {
	id, err := in.Head(ctx, env)
	if err != nil || id == "" {
		return passport.Seen{}, err
	}
	attached, err := attach.List(ctx, in, id)
	if err != nil {
		return passport.Seen{}, err
	}
	seen := passport.Seen{}
	for _, a := range attached {
		s, err := sign.Verify(a.Envelope, r.Trust, id, farAhead())
		if err != nil {
			continue
		}
		p, err := sign.As[sign.Promotion](s)
		if err == nil && p.System == r.System && p.Environment == env && p.Sequence > seen.Sequence {
			seen = passport.Seen{Sequence: p.Sequence, ID: id}
		}
	}
	return seen, nil
}

// missing are those envelopes that are not attached. A subject that is not there
// has none.
func missing(ctx context.Context, in *repository.Repository, about evidence.Digest, envelopes [][]byte) ([][]byte, error) {
	if len(envelopes) == 0 {
		return nil, nil
	}
	if there, err := in.Head(ctx, string(about)); err != nil || there == "" {
		return envelopes, err
	}
	attached, err := attach.List(ctx, in, about)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(envelopes), func(e []byte) bool {
		return slices.ContainsFunc(attached, func(a attach.Attached) bool { return bytes.Equal(a.Envelope, e) })
	}), nil
}

// put attaches what is missing, in order.
func put(ctx context.Context, to *repository.Repository, about evidence.Digest, envelopes [][]byte) error {
	lacking, err := missing(ctx, to, about, envelopes)
	for _, e := range lacking {
		_, putErr := attach.Put(ctx, to, e)
		err = errors.Join(err, putErr)
		if err != nil {
			return err
		}
	}
	return err
}
