package promote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/pipeline/gitrepo"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/passport"
)

// The most bytes that are read and written: of the files of one commit, and of
// the promotions in a history.
const (
	MaxFiles   = 16 << 20
	maxHistory = 64 << 20
)

// Environment is an environment as its branch has it.
type Environment struct {
	Name string
	// Tip is the full hash of the commit that the branch is on; empty where there
	// is no branch.
	Tip string
	// Files are those of the tip; nil where nobody has promoted yet.
	Files map[string][]byte
	// Older are the promotions below the tip, newest first, at most
	// passport.History.
	Older []Past
}

// Past is an older promotion of an environment.
type Past struct {
	Commit string // full hash
	// Promotion is the envelope; empty where the commit has none, which no
	// promotion leaves behind.
	Promotion []byte
}

// Branch is the branch of an environment.
func Branch(name string) string { return scs.BranchPrefix + name }

// ReadEnvironment reads an environment from a remote (a name or an address). All
// of it is from one commit and what lies below. The working copy and its
// references are not touched. A branch without a promotion, as somebody makes it
// to protect it, is one that nobody has promoted to.
func ReadEnvironment(ctx context.Context, repo *gitrepo.Repo, remote, name string) (*Environment, error) {
	tip, err := repo.FetchBranch(ctx, remote, Branch(name))
	if err != nil {
		return nil, err
	}
	return readTip(ctx, repo, name, tip)
}

// ReadEnvironmentAt reads an environment as far as this repository knows it, from
// a reference such as "refs/remotes/origin/env/staging". No server is asked.
func ReadEnvironmentAt(ctx context.Context, repo *gitrepo.Repo, ref, name string) (*Environment, error) {
	tip, err := repo.Ref(ctx, ref)
	if err != nil {
		return nil, err
	}
	return readTip(ctx, repo, name, tip)
}

func readTip(ctx context.Context, repo *gitrepo.Repo, name, tip string) (*Environment, error) {
	e := &Environment{Name: name, Tip: tip}
	if tip == "" {
		return e, nil
	}
	log, err := repo.LogFile(ctx, e.Tip, scs.PromotionName, 1+passport.History, maxHistory)
	if err != nil {
		return nil, fmt.Errorf("read the history of %s: %w", name, err)
	}
	for len(log) > 0 && log[len(log)-1].Content == nil {
		log = log[:len(log)-1] // from before the first promotion
	}
	if len(log) == 0 {
		return e, nil
	}
	for _, v := range log[1:] {
		e.Older = append(e.Older, Past{v.Commit, v.Content})
	}
	if e.Files, err = repo.ReadTree(ctx, e.Tip, MaxFiles); err != nil {
		return nil, fmt.Errorf("read what %s is on: %w", name, err)
	}
	return e, nil
}

// State is the tip for passport.Pointer.
func (e *Environment) State() passport.State {
	return passport.State{Commit: e.Tip, Files: e.Files}
}

// Promotions are the older envelopes for passport.Pointer.
func (e *Environment) Promotions() [][]byte {
	var list [][]byte
	for _, p := range e.Older {
		list = append(list, p.Promotion)
	}
	return list
}

// Judge is what passport.Pointer says of the environment.
func (e *Environment) Judge(seen passport.Seen, r passport.Rules, now time.Time) *passport.Passport {
	return passport.Pointer(e.Name, e.State(), e.Promotions(), seen, r, now)
}

// Evidence are all promotions of the environment, by the combinations that they
// are about: evidence for the environment that comes after this one, also where
// the registry does not have it (yet).
func (e *Environment) Evidence() passport.Evidence {
	ev := passport.Evidence{}
	for _, envelope := range append([][]byte{e.Files[scs.PromotionName]}, e.Promotions()...) {
		if _, about, err := sign.Peek(envelope); err == nil && !slices.ContainsFunc(ev[about], sameAs(envelope)) {
			ev[about] = append(ev[about], envelope)
		}
	}
	return ev
}

// Moved is a promotion whose signature was verified.
type Moved struct {
	ID evidence.Digest
	sign.Promotion
	Envelope []byte
	// Commit is that of the environment's branch.
	Commit string
}

// Last returns the newest promotion, nil where there is none. A key that is
// revoked by now still counts, as in passport.Pointer: what is past only says
// what comes next.
func (e *Environment) Last(r passport.Rules) (*Moved, error) {
	if len(e.Files) == 0 {
		return nil, nil
	}
	m, err := e.read(Past{e.Tip, e.Files[scs.PromotionName]}, r)
	if err != nil {
		return nil, fmt.Errorf("the promotion that %s is on (commit %.12s): %w", e.Name, e.Tip, err)
	}
	return m, nil
}

func (e *Environment) read(p Past, r passport.Rules) (*Moved, error) {
	_, about, err := sign.Peek(p.Promotion)
	if err != nil {
		return nil, err
	}
	s, err := sign.Verify(p.Promotion, sign.Trust{Keys: r.Trust.Keys}, about, farAhead())
	if err != nil {
		return nil, err
	}
	promotion, err := sign.As[sign.Promotion](s)
	if err != nil {
		return nil, err
	}
	if promotion.System != r.System || promotion.Environment != e.Name {
		return nil, fmt.Errorf("it is one of the system %s to %s", promotion.System, promotion.Environment)
	}
	return &Moved{about, promotion, p.Promotion, p.Commit}, nil
}

// farAhead is a time at which nothing is too new: promotions do not expire.
func farAhead() time.Time { return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }

// ErrNoRollback says that there is nothing to go back to.
var ErrNoRollback = errors.New("nothing to go back to")

// Rollback returns the newest older promotion of another combination, or with a
// version the newest one of that. Promotions by keys that are revoked are passed
// over. The error is ErrNoRollback, wrapped, where there is none.
func (e *Environment) Rollback(r passport.Rules, version string) (*Moved, error) {
	last, err := e.Last(r)
	if err != nil {
		return nil, err
	}
	if last == nil {
		return nil, fmt.Errorf("%w: nobody has promoted to %s yet", ErrNoRollback, e.Name)
	}
	for _, past := range e.Older {
		m, err := e.read(past, r)
		if err != nil || m.ID == last.ID || version != "" && m.Version != version {
			continue
		}
		if _, err := sign.Verify(m.Envelope, r.Trust, m.ID, farAhead()); err == nil {
			return m, nil
		}
	}
	if version != "" {
		return nil, fmt.Errorf("%w: %s was never on version %s; `pipeline scs status` lists where it was", ErrNoRollback, e.Name, version)
	}
	return nil, fmt.Errorf("%w: %s was never on anything but %s", ErrNoRollback, e.Name, last.Version)
}

// ReadPast returns the files of an older promotion: its lock, and the evidence
// that it rested on.
func ReadPast(ctx context.Context, repo *gitrepo.Repo, m *Moved) (map[string][]byte, error) {
	files, err := repo.ReadTree(ctx, m.Commit, MaxFiles)
	if err != nil {
		return nil, fmt.Errorf("read version %s of %s: %w", m.Version, m.Environment, err)
	}
	if got := evidence.Sum(files[scs.LockName]); got != m.Lock {
		return nil, fmt.Errorf("commit %.12s of %s has another %s than its promotion was made for", m.Commit, m.Environment, scs.LockName)
	}
	return files, nil
}
