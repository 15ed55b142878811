package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/deploy"
	"gitlab.com/selfcontained/pipeline/release/scs/passport"
	"gitlab.com/selfcontained/pipeline/release/scs/promote"
)

// statusFlags are the flags of `pipeline scs status`.
type statusFlags struct {
	systemFlags
	clusterFlags
	noCluster, exitSet bool
}

func newSystemStatus(s *streams) *cobra.Command {
	f := &statusFlags{}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say what runs where, what waits for what, what is held back, and how clusters differ",
		Long: `Say which combination each environment is on and since when, what the next one waits
for, which versions are held back and by what, which services may be bumped now, and
in what the cluster differs from the environment: another image, edited by hand,
deleted, not ready. Nothing is changed.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd.Context(), s)
		},
	}
	f.systemFlags.addFlags(cmd)
	f.addClusterFlags(cmd)
	cmd.Flags().BoolVar(&f.noCluster, "no-cluster", false, "do not look for drift")
	cmd.Flags().BoolVar(&f.exitSet, "exit-code", false, "end with 4 when an environment is refused or a cluster differs from it")
	return cmd
}

// systemStatus is the JSON form of the status.
type systemStatus struct {
	System       string              `json:"system"`
	Lock         *combinationResult  `json:"lock,omitempty"` // of the system's branch
	Environments []environmentStatus `json:"environments"`
	Held         []scs.Held          `json:"held,omitempty"`
	Bumps        []bump              `json:"bumps"`
}

// environmentStatus is what an environment is on.
type environmentStatus struct {
	Name     string             `json:"name"`
	Version  string             `json:"version,omitempty"`
	ID       evidence.Digest    `json:"id,omitempty"`
	Sequence int64              `json:"sequence,omitempty"`
	Since    time.Time          `json:"since,omitzero"`
	By       string             `json:"by,omitempty"`
	Rollback bool               `json:"rollback,omitempty"`
	Valid    bool               `json:"valid"`
	Refusals []passport.Refusal `json:"refusals,omitempty"`
	// Waits says what keeps the lock of the branch from coming here; empty when it
	// is here, Ready when nothing does.
	Waits []string `json:"waits,omitempty"`
	Ready bool     `json:"ready,omitempty"`
	// Drift is nil where it was not looked for, and Unknown says why.
	Drift   []deploy.Drift `json:"drift,omitempty"`
	Looked  bool           `json:"looked"`
	Unknown string         `json:"unknown,omitempty"`
}

// bump is a service with a newer version than the lock has.
type bump struct {
	Service string `json:"service"`
	From    string `json:"from"`
	To      string `json:"to"`
	// Fits says that its interfaces fit the other versions of the lock; else
	// Problems say why not.
	Fits     bool     `json:"fits"`
	Problems []string `json:"problems,omitempty"`
}

func (f *statusFlags) run(ctx context.Context, s *streams) error {
	sess, err := openSystem(ctx, &f.systemFlags)
	if err != nil {
		return err
	}
	r, err := sess.rules(ctx, true)
	if err != nil {
		return err
	}
	status := &systemStatus{System: sess.Name, Bumps: []bump{}}
	lock, err := sess.branchLock(ctx)
	if err != nil {
		return err
	}
	if lock != nil {
		c := combinationOf(lock.Combination, lock.Version)
		status.Lock, status.Held = &c, lock.Held
	}
	for i := range sess.Environments {
		e, err := f.environment(ctx, s, sess, r, sess.Environments[i].Name, lock)
		if err != nil {
			return err
		}
		status.Environments = append(status.Environments, *e)
	}
	if status.Bumps, err = sess.bumps(ctx, r, lock); err != nil {
		return err
	}
	if f.asJSON {
		err = printJSON(s.out, status)
	} else {
		_, err = io.WriteString(s.out, harmless(status.text()))
	}
	if err == nil && f.exitSet {
		err = status.err()
	}
	return err
}

// branchLock is the lock that the system's branch has; that of the folder
// outside of a repository; nil when there is none.
func (s *systemSession) branchLock(ctx context.Context) (*scs.Lock, error) {
	if s.repo == nil {
		return s.lock, nil
	}
	_, data, err := s.lockOfBranch(ctx)
	if gate := (*gateError)(nil); errors.As(err, &gate) {
		return s.lock, nil // not committed yet
	}
	if err != nil {
		return nil, err
	}
	l, err := scs.ParseLock(scs.LockName, data)
	if err != nil {
		return nil, &gateError{err.Error()}
	}
	return l, nil
}

func (f *statusFlags) environment(ctx context.Context, s *streams, sess *systemSession, r *rules, name string, lock *scs.Lock) (*environmentStatus, error) {
	e := &environmentStatus{Name: name}
	if sess.repo == nil {
		e.Unknown = "the folder is in no git repository"
		return e, nil
	}
	env, p, err := sess.verified(ctx, r, name, true)
	if err != nil {
		return nil, err
	}
	if p != nil {
		e.Version, e.ID, e.Sequence, e.Valid, e.Refusals = p.Version, p.ID, p.Sequence, p.Valid(), p.Refusals
		if last, err := env.Last(r.Rules); err == nil && last != nil {
			e.Since, e.By, e.Rollback = last.Issued, last.By, last.Rollback
		}
	}
	if lock != nil && lock.ID() != e.ID {
		if err := sess.waits(ctx, r, e, lock); err != nil {
			return nil, err
		}
	}
	if p != nil && !f.noCluster {
		f.drift(ctx, s, sess, e, p)
	}
	return e, nil
}

// waits says what keeps the lock from coming to an environment.
func (s *systemSession) waits(ctx context.Context, r *rules, e *environmentStatus, lock *scs.Lock) error {
	own, err := s.own()
	if err != nil {
		return err
	}
	ev, err := s.evidence(ctx, own, lock.Combination)
	if err != nil {
		return err
	}
	if before := s.environment(e.Name).After; before != "" {
		env, err := s.readEnvironment(ctx, before, true)
		if err != nil {
			return err
		}
		ev = promote.Join(ev, env.Evidence())
	}
	p := passport.ForEnvironment(lock.Combination, e.Name, ev, r.Rules, time.Now())
	e.Ready = p.Valid()
	for _, refusal := range p.Refusals {
		e.Waits = append(e.Waits, fmt.Sprintf("%s %s: %s", refusal.Subject, refusal.Rule, refusal.Why))
	}
	return nil
}

// drift looks at the environment's namespace, as far as a cluster answers.
func (f *statusFlags) drift(ctx context.Context, s *streams, sess *systemSession, e *environmentStatus, p *passport.Passport) {
	env := sess.environment(e.Name)
	provider, err := f.cluster(sess.clusterOf(env)).provider(sess.cache, s.err)
	if err != nil {
		e.Unknown = err.Error()
		return
	}
	cluster, err := provider.Attach(ctx)
	if err != nil || cluster == nil {
		e.Unknown = fmt.Sprintf("no cluster answers (%s)", provider.Name())
		return
	}
	status, err := deploy.Look(ctx, cluster, *sess.deploymentOf(env, p))
	if err != nil {
		e.Unknown = err.Error()
		return
	}
	if status.Record.Installed == nil && status.Record.Deploying == nil && status.Record.Failed == nil {
		e.Unknown = fmt.Sprintf("not deployed to %s of %s; `pipeline scs deploy %s` does", env.Namespace, cluster.Name, e.Name)
		return
	}
	e.Looked, e.Drift = true, status.Drift
}

// bumps are the services that have a newer candidate than the lock.
func (s *systemSession) bumps(ctx context.Context, r *rules, lock *scs.Lock) ([]bump, error) {
	list := []bump{}
	if lock == nil {
		return list, nil
	}
	found, err := s.resolve(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, m := range found.Candidate.Members {
		old := lock.Member(m.Service)
		if old == nil || old.Bundle == m.Bundle {
			continue
		}
		report, err := found.check(ctx, lock.With(m))
		if err != nil {
			return nil, err
		}
		b := bump{Service: m.Service, From: old.Version, To: m.Version, Fits: len(report.Problems) == 0}
		for _, p := range report.Problems {
			b.Problems = append(b.Problems, p.String())
		}
		list = append(list, b)
	}
	return list, nil
}

func (st *systemStatus) text() string {
	var t textTable
	if st.Lock == nil {
		t.row(st.System, "no lock", "`pipeline scs update` tests the newest versions and writes it")
	} else {
		t.row(st.System, st.Lock.Version, lockedServices(st.Lock)+" ("+st.Lock.ID.Short()+")")
	}
	for _, e := range st.Environments {
		e.rows(&t)
	}
	for _, h := range st.Held {
		why := h.Why
		if len(h.With) > 0 {
			why += "; with " + strings.Join(h.With, ", ")
		}
		t.row("held back", h.Service+" "+h.Version, why)
		if h.Replay != "" {
			t.row("", "", "replay: "+h.Replay)
		}
	}
	for _, b := range st.Bumps {
		if b.Fits {
			t.row("may bump", b.Service+" "+b.To, "the lock has "+b.From+"; the interfaces fit; `pipeline scs update --only "+b.Service+"` tests it")
		} else {
			t.row("no bump", b.Service+" "+b.To, strings.Join(b.Problems, "; "))
		}
	}
	return t.String()
}

func (e *environmentStatus) rows(t *textTable) {
	switch {
	case e.Version == "":
		t.row(e.Name, "empty", e.Unknown)
	case !e.Valid:
		t.row(e.Name, e.Version, fmt.Sprintf("REFUSED: %s: %s", e.Refusals[0].Class, e.Refusals[0].Why))
	default:
		t.row(e.Name, e.Version, fmt.Sprintf("%s, promotion %d, since %s by %s", e.ID.Short(), e.Sequence, e.Since.Format("2006-01-02 15:04"), e.By))
	}
	if e.Ready {
		t.row("", "", "the lock may come here: `pipeline scs promote --to "+e.Name+"`")
	}
	for _, w := range e.Waits {
		t.row("", "", "the lock waits: "+w)
	}
	for _, d := range e.Drift {
		t.row("", "drift", d.String())
	}
	switch {
	case e.Looked && len(e.Drift) == 0:
		t.row("", "", "the cluster runs exactly this")
	case e.Unknown != "" && e.Version != "":
		t.row("", "", "the cluster: "+e.Unknown)
	}
}

func lockedServices(l *combinationResult) string {
	var names []string
	for _, m := range l.Services {
		names = append(names, m.Service+" "+m.Version)
	}
	return strings.Join(names, ", ")
}

// err says that something is not as it has to be.
func (st *systemStatus) err() error {
	for _, e := range st.Environments {
		if e.Version != "" && !e.Valid {
			return &gateError{e.Name + " is refused: " + e.Refusals[0].Why}
		}
		if len(e.Drift) > 0 {
			return &gateError{fmt.Sprintf("the cluster differs from %s in %s", e.Name, count(len(e.Drift), "thing"))}
		}
	}
	return nil
}
