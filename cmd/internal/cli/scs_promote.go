package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/passport"
	"gitlab.com/selfcontained/pipeline/release/scs/promote"
)

// promoteFlags are the flags of `pipeline scs promote`.
type promoteFlags struct {
	systemFlags
	to, version, by, forge    string
	rollback, dryRun, exitSet bool
}

func newSystemPromote(s *streams) *cobra.Command {
	f := &promoteFlags{}
	cmd := &cobra.Command{
		Use:   "promote --to ENVIRONMENT",
		Short: "Move an environment to the tested combination, all of it at once or not at all",
		Long: `Move an environment to the combination in the lock of the system's branch. Every
member and the combination need signed verdicts that hold; the environment that
comes before must have had it; as many people as the environment asks for must
have consented (pipeline scs approve). A promotion that died is finished by the
same command; of two at once one wins.`,
		Example: "  pipeline scs promote --to staging\n  pipeline scs promote --to production --dry-run\n  pipeline scs promote --to production --rollback",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd.Context(), s)
		},
	}
	f.systemFlags.addFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.to, "to", "", "the environment")
	flags.BoolVar(&f.rollback, "rollback", false, "go back to the combination before, or to --version")
	flags.StringVar(&f.version, "version", "", "with --rollback: the version of the system to go back to")
	flags.StringVar(&f.by, "by", "", "who promotes (default: the user of this machine, or of the job)")
	flags.StringVar(&f.forge, "forge", "", "gitlab records the deployment there, none does not (default: gitlab in its CI)")
	flags.BoolVarP(&f.dryRun, "dry-run", "n", false, "print the gate and the steps, and change nothing")
	flags.BoolVar(&f.exitSet, "exit-code", false, "end with 5 when the environment is there already")
	return cmd
}

func (f *promoteFlags) check(sess *systemSession) error {
	switch {
	case f.to == "":
		return fmt.Errorf("--to is missing: which environment? There are %s", sess.environments())
	case sess.environment(f.to) == nil:
		return fmt.Errorf("--to %s: no such environment in %s; there are %s", f.to, relative(sess.File), sess.environments())
	case f.version != "" && !f.rollback:
		return errors.New("--version goes with --rollback; a promotion takes the lock of the branch")
	case f.forge != "" && f.forge != "gitlab" && f.forge != "none":
		return fmt.Errorf("--forge %s: expected gitlab or none", f.forge)
	case sess.repo == nil:
		return fmt.Errorf("%s is in no git repository: an environment is a branch of one", relative(sess.Dir))
	case sess.Registry == "":
		return fmt.Errorf("%s: `registry` is missing; a promotion copies the bundles there", relative(sess.File))
	case sess.signer == nil:
		return errors.New("no signing key: put it in PIPELINE_SIGNING_KEY (see `pipeline keys new`); a promotion is signed")
	}
	return nil
}

// promotion is one promotion on its way.
type promotion struct {
	*systemSession
	flags   *promoteFlags
	rules   *rules
	own     *repository.Repository
	current *promote.Environment
	draft   *promote.Draft
	plan    *promote.Plan
}

// promoteResult is the JSON form of a promotion.
type promoteResult struct {
	*promote.Draft
	Steps    []release.State `json:"steps,omitempty"`
	Promoted bool            `json:"promoted"`
	Commit   string          `json:"commit,omitempty"` // of the environment's branch
}

func (f *promoteFlags) run(ctx context.Context, s *streams) error {
	sess, err := openSystem(ctx, &f.systemFlags)
	if err != nil {
		return err
	}
	if err := f.check(sess); err != nil {
		return &usageError{err}
	}
	p := &promotion{systemSession: sess, flags: f}
	if err := p.decide(ctx); err != nil {
		return err
	}
	result := &promoteResult{Draft: p.draft}
	err = p.apply(ctx, s, result)
	if printErr := f.print(s.out, result); err == nil {
		err = printErr
	}
	if err == nil && f.exitSet && !result.Promoted {
		return errNothing
	}
	return err
}

// apply checks and does what is to be done.
func (p *promotion) apply(ctx context.Context, s *streams, result *promoteResult) error {
	if !p.draft.Allowed() {
		return &promote.RefusedError{Draft: p.draft}
	}
	steps := p.plan.Steps()
	var err error
	if result.Steps, err = release.Check(ctx, steps); err != nil || allThere(result.Steps) {
		return err
	}
	unknown, err := p.plan.CheckRights(ctx)
	for _, right := range unknown {
		fmt.Fprintf(s.err, "  %s\n", right)
	}
	if err != nil || p.flags.dryRun {
		return err
	}
	err = release.Apply(ctx, steps, func(step release.Step, done bool) {
		if done {
			fmt.Fprintf(s.err, "  %s\n", step.What)
		}
	})
	if err != nil {
		return fmt.Errorf("promote %s %s to %s: %w", p.Name, p.draft.Version, p.flags.to, err)
	}
	for i := range result.Steps {
		state := &result.Steps[i]
		state.There, state.Done = true, !state.There
	}
	result.Promoted, result.Commit = true, p.plan.Commit()
	return nil
}

func (f *promoteFlags) print(w io.Writer, r *promoteResult) error {
	if f.asJSON {
		return printJSON(w, r)
	}
	text := r.Draft.Text(r.Steps)
	switch {
	case r.Promoted:
		text += fmt.Sprintf("promoted %s %s to %s\n", r.System, r.Version, r.Environment)
	case r.Allowed() && len(r.Steps) > 0 && allThere(r.Steps):
		text += fmt.Sprintf("%s is on %s %s already; nothing was done\n", r.Environment, r.System, r.Version)
	case f.dryRun && r.Allowed():
		text += "dry run: nothing was done\n"
	}
	_, err := io.WriteString(w, harmless(text))
	return err
}

// decide reads what the decision rests on, and makes it.
func (p *promotion) decide(ctx context.Context) error {
	var err error
	if p.rules, err = p.systemSession.rules(ctx, true); err != nil {
		return err
	}
	if !p.rules.Protected {
		return &gateError{fmt.Sprintf("the trusted keys would come from %s; commit %s and the keys to the branch %s, which people protect", p.rules.From, relative(p.File), p.Branch)}
	}
	if p.own, err = p.systemSession.own(); err != nil {
		return err
	}
	if p.current, err = promote.ReadEnvironment(ctx, p.repo, p.where(), p.flags.to); err != nil {
		return err
	}
	in := promote.Input{
		Rules: p.rules.Rules, Environment: p.flags.to, Current: p.current, Rollback: p.flags.rollback,
		By: speaker(p.flags.by), Run: os.Getenv("CI_JOB_URL"), Now: time.Now().UTC().Truncate(time.Second), Signer: p.signer,
	}
	if in.Seen, err = promote.ReadSeen(ctx, p.own, p.flags.to, p.rules.Rules); err != nil {
		return err
	}
	var more passport.Evidence
	if in.Lock, in.Commit, more, err = p.locked(ctx); err != nil {
		return err
	}
	if in.Evidence, err = p.proof(ctx, in.Lock, more); err != nil {
		return err
	}
	if p.draft, err = promote.Decide(in); err != nil {
		return err
	}
	p.plan = &promote.Plan{
		Draft: p.draft, Current: p.current, Rules: p.rules.Rules, Registry: p.own, Source: p.opener(), Repo: p.repo, Remote: p.where(),
	}
	p.plan.Forge, err = p.openForge(ctx, p.flags.forge)
	return err
}

// locked returns the lock to promote, the commit that it is from, and the
// evidence that came with it.
func (p *promotion) locked(ctx context.Context) ([]byte, string, passport.Evidence, error) {
	if p.flags.rollback {
		past, err := p.current.Rollback(p.rules.Rules, p.flags.version)
		if err != nil {
			return nil, "", nil, &gateError{err.Error()}
		}
		files, err := promote.ReadPast(ctx, p.repo, past)
		if err != nil {
			return nil, "", nil, err
		}
		return files[scs.LockName], past.Promotion.Commit, promote.FileEvidence(files), nil
	}
	commit, data, err := p.lockOfBranch(ctx)
	return data, commit, nil, err
}

// lockOfBranch reads the lock that the system's branch has: what was reviewed
// and merged, not what lies in a working copy.
func (s *systemSession) lockOfBranch(ctx context.Context) (commit string, data []byte, err error) {
	commit, err = s.repo.FetchBranch(ctx, s.where(), s.Branch)
	if err != nil {
		return "", nil, err
	}
	if commit == "" {
		return "", nil, &gateError{fmt.Sprintf("there is no branch %s yet", s.Branch)}
	}
	name, err := s.inRepository(scs.LockName)
	if err != nil {
		return "", nil, err
	}
	versions, err := s.repo.LogFile(ctx, commit, name, 1, 16<<20)
	if err != nil {
		return "", nil, err
	}
	if len(versions) == 0 || versions[0].Content == nil {
		return "", nil, &gateError{fmt.Sprintf("the branch %s has no %s; `pipeline scs update --commit` tests the newest versions and puts it there", s.Branch, name)}
	}
	return commit, versions[0].Content, nil
}

// proof collects the evidence about the lock's combination: from the registries,
// from the environment that comes before, and what came with the lock.
func (p *promotion) proof(ctx context.Context, lock []byte, more passport.Evidence) (passport.Evidence, error) {
	l, err := scs.ParseLock(scs.LockName, lock)
	if err != nil {
		return nil, &gateError{err.Error()}
	}
	ev, err := p.systemSession.evidence(ctx, p.own, l.Combination)
	if err != nil {
		return nil, err
	}
	ev = promote.Join(ev, more)
	before := p.environment(p.flags.to).After
	if before == "" {
		return ev, nil
	}
	env, err := promote.ReadEnvironment(ctx, p.repo, p.where(), before)
	if err != nil {
		return nil, err
	}
	return promote.Join(ev, env.Evidence()), nil
}

// where is the remote that environments are at: the repository itself when it
// has none.
func (s *systemSession) where() string {
	if s.remote == "" {
		return s.repo.Root
	}
	return s.remote
}

// openForge opens the GitLab project of the system's repository; nil without
// one.
func (s *systemSession) openForge(ctx context.Context, kind string) (*gitlab.Client, error) {
	if kind == "" && os.Getenv("GITLAB_CI") != "" {
		kind = "gitlab"
	}
	if kind != "gitlab" {
		return nil, nil
	}
	address, err := s.repo.RemoteURL(ctx, originRemote)
	if err != nil {
		return nil, err
	}
	config, err := gitlab.FromEnvironment(os.Getenv, address)
	if err != nil {
		return nil, err
	}
	return gitlab.New(config)
}
