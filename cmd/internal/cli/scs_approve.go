package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

// approveFlags are the flags of `pipeline scs approve`.
type approveFlags struct {
	systemFlags
	to, by, note string
	days         int
}

func newSystemApprove(s *streams) *cobra.Command {
	f := &approveFlags{}
	cmd := &cobra.Command{
		Use:   "approve --to ENVIRONMENT",
		Short: "Consent that the locked combination goes to an environment",
		Long: `Sign, with your own key, that the combination in the lock of the system's branch may
go to an environment, and attach that to the combination in the system's registry.
A person is a key: approvers of the environment in scs.yaml says whose counts.`,
		Example: "  pipeline scs approve --to production --by anna@example.com --note 'tried the new check-out by hand'",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd.Context(), s)
		},
	}
	f.systemFlags.addFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.to, "to", "", "the environment")
	flags.StringVar(&f.by, "by", "", "who consents (default: the user of this machine)")
	flags.StringVar(&f.note, "note", "", "what to remember about it")
	flags.IntVar(&f.days, "days", 0, "for how many days it holds (default: for ever)")
	return cmd
}

func (f *approveFlags) check(sess *systemSession) error {
	switch {
	case f.to == "":
		return fmt.Errorf("--to is missing: to which environment? There are %s", sess.environments())
	case sess.environment(f.to) == nil:
		return fmt.Errorf("--to %s: no such environment in %s; there are %s", f.to, relative(sess.File), sess.environments())
	case f.days < 0:
		return fmt.Errorf("--days %d: expected a number from 1", f.days)
	case sess.repo == nil || sess.Registry == "":
		return fmt.Errorf("%s: a consent is about the lock of a git branch, and lies in the `registry` of the system", relative(sess.File))
	case sess.signer == nil:
		return errors.New("no signing key: put yours in PIPELINE_SIGNING_KEY (see `pipeline keys new`)")
	}
	return nil
}

// approveResult is the JSON form of a consent.
type approveResult struct {
	combinationResult
	Environment string `json:"environment"`
	By          string `json:"by"`
	Key         string `json:"key"`
	// Counts says that the key is one of the environment's approvers.
	Counts bool `json:"counts"`
}

func (f *approveFlags) run(ctx context.Context, s *streams) error {
	sess, err := openSystem(ctx, &f.systemFlags)
	if err != nil {
		return err
	}
	if err := f.check(sess); err != nil {
		return &usageError{err}
	}
	_, data, err := sess.lockOfBranch(ctx)
	if err != nil {
		return err
	}
	l, err := scs.ParseLock(scs.LockName, data)
	if err != nil {
		return &gateError{err.Error()}
	}
	if err := f.attach(ctx, sess, l); err != nil {
		return err
	}
	r := approveResult{combinationResult: combinationOf(l.Combination, l.Version), Environment: f.to, By: speaker(f.by), Key: sess.signer.Public().ID()}
	if r.Counts, err = sess.approver(ctx, f.to); err != nil {
		return err
	}
	if f.asJSON {
		return printJSON(s.out, r)
	}
	if !r.Counts {
		fmt.Fprintf(s.err, "the key %.12s is none of the approvers of %s on the branch %s: the consent will not count\n", r.Key, f.to, sess.Branch)
	}
	_, err = fmt.Fprintf(s.out, "%s consents to %s %s (%s) in %s\n", r.By, sess.Name, l.Version, r.ID.Short(), f.to)
	return err
}

// approver reports whether the signing key is one of the environment's.
func (s *systemSession) approver(ctx context.Context, env string) (bool, error) {
	r, err := s.rules(ctx, true)
	if err != nil {
		return false, err
	}
	for _, e := range r.Environments {
		for _, key := range e.Approvers.Keys {
			if e.Name == env && key.ID() == s.signer.Public().ID() {
				return true, nil
			}
		}
	}
	return false, nil
}

func (f *approveFlags) attach(ctx context.Context, sess *systemSession, l *scs.Lock) error {
	own, err := sess.own()
	if err != nil {
		return err
	}
	there, err := own.Head(ctx, string(l.ID()))
	if err != nil {
		return err
	}
	if there == "" {
		return &gateError{fmt.Sprintf("%s does not have the combination %s yet; `pipeline scs test` with a signing key puts it there", own, l.ID().Short())}
	}
	now := time.Now().UTC().Truncate(time.Second)
	c := sign.Consent{Terms: sign.Terms{System: sess.Name, Environment: f.to, Issued: now, Sequence: now.Unix()}, By: speaker(f.by), At: now, Note: f.note}
	if f.days > 0 {
		c.Expires = now.AddDate(0, 0, f.days)
	}
	envelope, err := sess.signer.Sign(sign.Subject{Name: sess.Name, Digest: l.ID()}, c)
	if err != nil {
		return err
	}
	_, err = attach.Put(ctx, own, envelope)
	return err
}
