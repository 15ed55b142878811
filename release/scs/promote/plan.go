package promote

import (
	"context"
	"errors"
	"fmt"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/gitrepo"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/passport"
)

// Plan is a draft that may be carried out, with where everything goes. Its steps
// are for one run: a plan remembers which commit the environment came to.
type Plan struct {
	Draft *Draft
	// Current is the environment that the draft was decided on.
	Current *Environment
	Rules   passport.Rules
	// Registry is the repository of the system. Source opens those that bundles
	// are copied from.
	Registry *repository.Repository
	Source   Opener
	// Repo is a clone of the system's repository, Remote the name or the address
	// where the environments are.
	Repo   *gitrepo.Repo
	Remote string
	// Forge is nil where GitLab is not told.
	Forge *gitlab.Client
	// URL is where the environment can be looked at; may be empty.
	URL string
	// Journal is told the effects in git, "commit" and "push", before (done is
	// false) and after; nil is nobody. Those in the registry are told by its own.
	Journal func(effect string, done bool)

	// at is the promotion that the environment was moved by; nil before that.
	// adopted says that another one has made it, at the same time.
	at      *Moved
	adopted bool
}

// Steps are what is to be done, in order: what is named by digest, the pointer,
// what follows it.
func (p *Plan) Steps() []release.Step {
	publish := &Publication{Combination: p.Draft.Lock.Combination, To: p.Registry, Source: p.Source, Evidence: p.Draft.Passport.Evidence}
	steps := append(publish.Steps(), p.pointer(), p.promotion(), p.version(), p.name())
	if p.Forge != nil {
		steps = append(steps, p.deployment())
	}
	return steps
}

// Commit returns the commit that the environment was moved to; empty before that.
func (p *Plan) Commit() string {
	if p.at == nil {
		return ""
	}
	return p.at.Commit
}

// MovedError says that the environment is not where the decision was made on:
// somebody else has moved it. Nothing of this promotion can be seen there.
type MovedError struct {
	Environment, Wanted string // "staging", "shop 0.2.0"
	// By, Version and Sequence are of the promotion that is there; zero where
	// there is none.
	By, Version string
	Sequence    int64
	// Lost says where the branch is.
	Lost *gitrepo.LostError
}

func (e *MovedError) Error() string {
	there := "somebody else has moved the branch to " + e.Lost.Actual
	switch {
	case e.Version != "":
		there = fmt.Sprintf("%s has just moved it to version %s (number %d)", e.By, e.Version, e.Sequence)
	case e.Lost.Actual == "":
		there = "somebody has deleted its branch"
	}
	return fmt.Sprintf("%s was not promoted to %s: %s; look at that, and run it again if it still is what you want", e.Wanted, e.Environment, there)
}

func (e *MovedError) Unwrap() error { return e.Lost }

// pointer moves the environment: the one step that takes something.
func (p *Plan) pointer() release.Step {
	what := fmt.Sprintf("move %s on %s to %s", Branch(p.Draft.Environment), p.Remote, p.Draft.Version)
	if p.Draft.Nothing {
		what = fmt.Sprintf("%s on %s is on %s", Branch(p.Draft.Environment), p.Remote, p.Draft.Version)
	}
	return release.Step{Name: "pointer", What: what, Look: p.lookPointer, Do: p.move}
}

func (p *Plan) lookPointer(ctx context.Context) (bool, error) {
	tip, err := p.Repo.RemoteBranch(ctx, p.Remote, Branch(p.Draft.Environment))
	switch {
	case err != nil:
		return false, err
	case p.at != nil && tip == p.at.Commit:
		return true, nil
	case tip != p.Current.Tip:
		return p.adopt(ctx, &gitrepo.LostError{Branch: Branch(p.Draft.Environment), Remote: p.Remote, Expected: p.Current.Tip, Actual: tip})
	case p.Draft.Nothing:
		p.at, err = p.Current.Last(p.Rules)
		return err == nil, err
	}
	return false, nil
}

// adopt takes a promotion of the same combination that another one has made in
// the meantime for this one; of any other it says who it was.
func (p *Plan) adopt(ctx context.Context, lost *gitrepo.LostError) (bool, error) {
	moved := &MovedError{Environment: p.Draft.Environment, Wanted: p.Draft.System + " " + p.Draft.Version, Lost: lost}
	there, err := ReadEnvironment(ctx, p.Repo, p.Remote, p.Draft.Environment)
	if err != nil {
		return false, errors.Join(moved, err)
	}
	last, err := there.Last(p.Rules)
	if err != nil {
		return false, errors.Join(moved, err)
	}
	if last == nil {
		return false, moved
	}
	if last.ID == p.Draft.ID {
		p.at, p.adopted = last, true
		return true, nil
	}
	moved.By, moved.Version, moved.Sequence = last.By, last.Version, last.Sequence
	return false, moved
}

// move commits and pushes.
func (p *Plan) move(ctx context.Context) error {
	d, commit := p.Draft, ""
	err := p.effect("commit", func() (err error) {
		commit, err = p.Repo.CommitTree(ctx, p.Current.Tip, d.Files, d.Message, d.At)
		return err
	})
	if err == nil {
		err = p.effect("push", func() error { return p.Repo.PushBranch(ctx, p.Remote, Branch(d.Environment), commit, p.Current.Tip) })
	}
	if lost := (*gitrepo.LostError)(nil); errors.As(err, &lost) {
		_, err = p.adopt(ctx, lost)
		return err
	}
	if err != nil {
		return err
	}
	after := Environment{Name: d.Environment, Tip: commit, Files: d.Files}
	p.at, err = after.Last(p.Rules)
	return err
}

func (p *Plan) effect(name string, do func() error) error {
	if p.Journal != nil {
		p.Journal(name, false)
	}
	err := do()
	if p.Journal != nil && err == nil {
		p.Journal(name, true)
	}
	return err
}

// envelope is the promotion that the environment was moved by or, before that,
// is to be moved by.
func (p *Plan) envelope() []byte {
	if p.at != nil {
		return p.at.Envelope
	}
	return p.Draft.Files[scs.PromotionName]
}
