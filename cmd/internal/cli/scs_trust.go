package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/scs/passport"
)

// rules are what the system asks of a combination, and where they were read.
type rules struct {
	passport.Rules
	// From says where: "origin/main at 1a2b3c4d5e6f".
	From string
	// Protected is whether that was the protected branch. A folder that belongs
	// to no repository, or a branch that has no scs.yaml yet, has none: then
	// nothing is promoted.
	Protected bool
}

// rules reads what the system asks: from its protected branch, so that a change
// cannot bring along the key that vouches for it. With online the remote says
// where that branch is; without, what is here of it counts.
func (s *systemSession) rules(ctx context.Context, online bool) (*rules, error) {
	if s.repo == nil {
		return s.rulesHere("this folder, which is in no git repository")
	}
	rev := s.Branch
	if s.remote != "" {
		rev = s.remote + "/" + s.Branch
	}
	if s.remote != "" && online {
		tip, err := s.repo.FetchBranch(ctx, s.remote, s.Branch)
		if err != nil {
			return nil, fmt.Errorf("read the trusted keys: %w", err)
		}
		if tip == "" {
			return s.rulesHere(fmt.Sprintf("this folder: %s has no branch %s yet", s.remote, s.Branch))
		}
		rev = tip
	}
	return s.rulesAt(ctx, rev)
}

// rulesAt reads the rules of a commit.
func (s *systemSession) rulesAt(ctx context.Context, rev string) (*rules, error) {
	temp, err := os.MkdirTemp("", "pipeline-trust-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	here, err := filepath.Rel(s.repo.Root, s.Dir)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(temp, "tree")
	out, err := s.repo.Extract(ctx, rev, dir, s.Dir)
	if err != nil || !exists(filepath.Join(dir, here, config.SystemName)) {
		return s.rulesHere(fmt.Sprintf("this folder: the branch %s has no %s yet", s.Branch, config.SystemName))
	}
	system, err := config.LoadSystem(filepath.Join(dir, here))
	if err != nil {
		return nil, fmt.Errorf("%s of the branch %s: %w", config.SystemName, s.Branch, err)
	}
	r := &rules{From: fmt.Sprintf("%s at %.12s", s.Branch, out.Commit), Protected: true}
	r.Rules, err = rulesOf(system)
	return r, err
}

func (s *systemSession) rulesHere(from string) (r *rules, err error) {
	r = &rules{From: from}
	r.Rules, err = rulesOf(s.System)
	return r, err
}

// rulesOf reads the keys that a system names.
func rulesOf(system *config.System) (passport.Rules, error) {
	r := passport.Rules{System: system.Name, Require: system.Require}
	var err error
	if r.Trust, err = trustIn(system, system.Trust); err != nil {
		return r, err
	}
	for _, e := range system.Environments {
		env := passport.Environment{Name: e.Name, After: e.After, Approve: e.Approve}
		if env.Approvers, err = trustIn(system, e.Approvers); err != nil {
			return r, err
		}
		r.Environments = append(r.Environments, env)
	}
	return r, nil
}

func trustIn(system *config.System, files []string) (sign.Trust, error) {
	trust := sign.Trust{Revoked: system.Revoked}
	for _, file := range files {
		key, err := sign.ReadPublic(filepath.Join(system.Dir, file))
		if err != nil {
			return trust, &usageError{fmt.Errorf("%s: %w", system.File, err)}
		}
		trust.Keys = append(trust.Keys, key)
	}
	return trust, nil
}
