package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/gitrepo"
	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/promote"
)

// updateBranch is where merge requests with a new lock come from.
const updateBranch = "scs/update"

// deliver brings a new lock to the repository. The working copy is left alone:
// `git pull` brings it there.
func (u *updater) deliver(ctx context.Context, r *updateResult, l *scs.Lock) error {
	title := fmt.Sprintf("Update %s to %s", u.Name, l.Version)
	if u.lock != nil && u.lock.ID() == l.ID() {
		title = fmt.Sprintf("Renew the lock of %s %s", u.Name, l.Version)
	}
	table, err := u.table(ctx, r, l)
	if err != nil {
		return err
	}
	to := u.Branch
	if u.flags.request {
		to = updateBranch
	}
	if r.Commit, err = u.push(ctx, to, title+"\n\n"+table, l); err != nil || !u.flags.request {
		return err
	}
	forge, err := u.openForge(ctx, "gitlab")
	if err != nil {
		return err
	}
	request, err := forge.EnsureMergeRequest(ctx, gitlab.MergeRequest{Source: to, Target: u.Branch, Title: title, Description: table})
	r.Request = request.URL
	return err
}

// push commits the lock on top of the system's branch, and moves a branch there:
// the system's own only if nobody else has moved it meanwhile.
func (u *updater) push(ctx context.Context, to, message string, l *scs.Lock) (string, error) {
	tip, err := u.repo.FetchBranch(ctx, u.where(), u.Branch)
	if err != nil {
		return "", err
	}
	if tip == "" {
		return "", &gateError{fmt.Sprintf("%s has no branch %s", u.where(), u.Branch)}
	}
	name, err := u.inRepository(scs.LockName)
	if err != nil {
		return "", err
	}
	commit, err := u.repo.CommitFiles(ctx, tip, map[string][]byte{name: l.Encode()}, message, time.Now())
	if err != nil {
		return "", err
	}
	expected := tip
	if to != u.Branch {
		if expected, err = u.repo.RemoteBranch(ctx, u.where(), to); err != nil {
			return "", err
		}
	}
	err = u.repo.PushBranch(ctx, u.where(), to, commit, expected)
	var lost *gitrepo.LostError
	if errors.As(err, &lost) {
		return "", &gateError{fmt.Sprintf("%v; run the same command again: what was tested is not tested again", lost)}
	}
	return commit, err
}

// table tells people what the update is about: a table of the services, and the
// notes of the releases that come with it.
func (u *updater) table(ctx context.Context, r *updateResult, l *scs.Lock) (string, error) {
	notes := map[string][]promote.ReleaseNotes{}
	for _, c := range u.found.Choices {
		m := l.Member(c.Service)
		if m == nil || u.lock != nil && u.lock.Member(c.Service) != nil && u.lock.Member(c.Service).Version == m.Version {
			continue
		}
		list, err := c.Notes(ctx, m.Version)
		if err != nil {
			return "", err
		}
		for _, n := range list {
			notes[c.Service] = append(notes[c.Service], promote.ReleaseNotes{Version: n.Version, Notes: n.Text})
		}
	}
	result := r.Why
	if v := u.verdict(l.Combination); v != nil {
		result = v.Summary
	}
	return promote.Table(promote.Update{From: u.lock, To: l, Result: result}) + "\n" + promote.Changelog(u.lock, l, notes), nil
}
