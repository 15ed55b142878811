package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/deploy"
	"gitlab.com/selfcontained/pipeline/release/scs/passport"
	"gitlab.com/selfcontained/pipeline/release/scs/promote"
)

// deployFlags are the flags of `pipeline scs deploy`.
type deployFlags struct {
	systemFlags
	clusterFlags
	by                    string
	dryRun, devTLS, older bool
	wait                  time.Duration
}

func newSystemDeploy(s *streams) *cobra.Command {
	f := &deployFlags{}
	cmd := &cobra.Command{
		Use:   "deploy ENVIRONMENT",
		Short: "Install what an environment is on into its namespace, with Helm",
		Long: `Verify the environment and install its combination into its namespace, each bundle
with its own chart, services that others use first. If one does not get ready all
go back to what ran before. What is installed already is left alone.`,
		Example: "  pipeline scs deploy staging\n  pipeline scs deploy production --kube-context my-cluster",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), s, args[0])
		},
	}
	f.systemFlags.addFlags(cmd)
	f.addClusterFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.by, "by", "", "who deploys (default: the user of this machine, or of the job)")
	flags.BoolVarP(&f.dryRun, "dry-run", "n", false, "say what would be done, and change nothing")
	flags.BoolVar(&f.devTLS, "self-signed", false, "make the secret "+deploy.TLSSecret+" with a certificate of its own where charts need it and it is missing")
	flags.BoolVar(&f.older, "older", false, "allow an older promotion than the one that is installed")
	flags.DurationVar(&f.wait, "wait", 5*time.Minute, "for how long another deployment is waited for")
	return cmd
}

func (f *deployFlags) run(ctx context.Context, s *streams, name string) error {
	sess, err := openSystem(ctx, &f.systemFlags)
	if err != nil {
		return err
	}
	env := sess.environment(name)
	if env == nil {
		return &usageError{fmt.Errorf("%s: no such environment in %s; there are %s", name, relative(sess.File), sess.environments())}
	}
	r, err := sess.rules(ctx, true)
	if err != nil {
		return err
	}
	state, p, err := sess.verified(ctx, r, name, true)
	if err != nil {
		return err
	}
	if p == nil {
		return nobodyPromoted(name)
	}
	if !p.Valid() {
		_, _ = io.WriteString(s.err, harmless(p.Text()))
		return &gateError{fmt.Sprintf("%s is refused (%s)", name, refusedClasses(p))}
	}
	values, err := sess.promotedValues(ctx, r, state)
	if err != nil {
		return err
	}
	return f.deploy(ctx, s, sess, env, p, values)
}

func (f *deployFlags) deploy(ctx context.Context, s *streams, sess *systemSession, env *config.Environment, p *passport.Passport, values []byte) error {
	choice := f.cluster(sess.clusterOf(env))
	provider, err := choice.provider(sess.cache, s.err)
	if err != nil {
		return err
	}
	cluster, err := provider.Ensure(ctx)
	if err != nil {
		return err
	}
	d, err := sess.deployment(ctx, env, p, values)
	if err != nil {
		return err
	}
	if err := sess.images(ctx, cluster, choice, d); err != nil {
		return err
	}
	o := deploy.Options{
		By: speaker(f.by), Wait: f.wait, Ready: sess.Ready, Older: f.older, DevTLS: f.devTLS,
		Tell: func(step release.Step, done bool) {
			if done {
				fmt.Fprintf(s.err, "  %s\n", step.What)
			}
		},
	}
	act := deploy.Apply
	if f.dryRun {
		act = deploy.Prepare
	}
	plan, err := act(ctx, cluster, *d, o)
	if plan == nil {
		return err
	}
	if f.asJSON {
		if printErr := printJSON(s.out, plan); err == nil {
			err = printErr
		}
		return err
	}
	text := plan.Text()
	if f.dryRun {
		text += "dry run: nothing was done\n"
	}
	if _, printErr := io.WriteString(s.out, harmless(text)); err == nil {
		err = printErr
	}
	return err
}

// clusterOf is the cluster that an environment is in.
func (s *systemSession) clusterOf(env *config.Environment) config.Cluster {
	c := s.Cluster
	if env.Context != "" {
		c = config.Cluster{Provider: "existing", Context: env.Context}
	}
	return c
}

// deployment is what an environment has to run, with the charts of its bundles,
// which are fetched from the system's own registry.
func (s *systemSession) deployment(ctx context.Context, env *config.Environment, p *passport.Passport, tested []byte) (*deploy.Deployment, error) {
	d := s.deploymentOf(env, p)
	values, err := s.environmentValues(env, tested)
	if err != nil {
		return nil, err
	}
	if err := s.charts(ctx, d, values); err != nil {
		return nil, err
	}
	d.Waves, err = s.waves(ctx, scs.Combination{System: s.Name, Members: p.Members})
	return d, err
}

// charts fetches the bundles, from the system's own repository, and reads their
// charts.
func (s *systemSession) charts(ctx context.Context, d *deploy.Deployment, values map[string][]map[string]any) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for i := range d.Members {
		m := &d.Members[i]
		group.Go(func() error {
			dir, err := s.fetch(ctx, s.copyOf(m.Member))
			if err != nil {
				return err
			}
			m.Values = append(m.Values, values[m.Service]...)
			m.Chart, err = chartIn(ctx, dir, m.Member)
			return err
		})
	}
	return group.Wait()
}

// deploymentOf is a deployment as far as Look needs it.
func (s *systemSession) deploymentOf(env *config.Environment, p *passport.Passport) *deploy.Deployment {
	d := &deploy.Deployment{System: s.Name, Environment: env.Name, Namespace: env.Namespace, Version: p.Version, ID: p.ID, Sequence: p.Sequence}
	for _, m := range p.Members {
		d.Members = append(d.Members, deploy.Member{Member: m})
	}
	return d
}

// copyOf is a member as it lies in the system's own repository.
func (s *systemSession) copyOf(m scs.Member) scs.Member {
	m.Source = s.Registry
	return m
}

// waves are the services in the order of their use, providers first.
func (s *systemSession) waves(ctx context.Context, c scs.Combination) ([][]string, error) {
	r := &resolution{sess: s, apis: map[evidence.Digest]apis{}}
	c.Members = slices.Clone(c.Members)
	for i := range c.Members {
		c.Members[i] = s.copyOf(c.Members[i])
	}
	report, err := r.check(ctx, c)
	if err != nil {
		return nil, err
	}
	return report.Waves, nil
}

// promotedValues returns the values that the combination was tested with: those
// of the commit that the lock is from, whatever lies in the folder now. Nil when
// it has none.
func (s *systemSession) promotedValues(ctx context.Context, r *rules, env *promote.Environment) ([]byte, error) {
	l, err := scs.ParseLock(scs.LockName, env.Files[scs.LockName])
	if err != nil || l.Values == "" {
		return nil, err
	}
	last, err := env.Last(r.Rules)
	if err != nil {
		return nil, err
	}
	name, err := s.inRepository(s.Values)
	if err != nil {
		return nil, err
	}
	versions, err := s.repo.LogFile(ctx, last.Promotion.Commit, name, 1, promote.MaxFiles)
	if err != nil {
		return nil, fmt.Errorf("read the values that %s was tested with: %w", env.Name, err)
	}
	if len(versions) == 0 || evidence.Sum(versions[0].Content) != l.Values {
		return nil, &gateError{fmt.Sprintf("%s of commit %.12s has not the values that the combination was tested with", name, last.Promotion.Commit)}
	}
	return versions[0].Content, nil
}

// environmentValues are the values that were tested, and those of the
// environment that are laid over them, by service.
func (s *systemSession) environmentValues(env *config.Environment, tested []byte) (map[string][]map[string]any, error) {
	all := map[string][]map[string]any{}
	add := func(file string, data []byte) error {
		values, err := config.ParseValues(file, data, s.services())
		for service, v := range values {
			all[service] = append(all[service], v)
		}
		return err
	}
	if err := add(s.Values, tested); err != nil || env.Values == "" {
		return all, err
	}
	name := filepath.Join(s.Dir, env.Values)
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the values: %w", err)
	}
	return all, add(name, data)
}

// images makes the images runnable: an existing cluster pulls them from the
// system's registry by digest, a cluster of kind gets them from here.
func (s *systemSession) images(ctx context.Context, cluster *kindtest.Cluster, choice clusterChoice, d *deploy.Deployment) error {
	group, ctx := errgroup.WithContext(ctx)
	for i := range d.Members {
		m := &d.Members[i]
		if choice.Provider == "existing" && choice.Registry == "" {
			m.Image = kindtest.Loaded{Ref: s.Registry + "@" + string(m.Bundle), Digest: string(m.Bundle)}
			continue
		}
		group.Go(func() (err error) {
			ref := fmt.Sprintf("pipeline.local/%s:%s-%s", m.Service, m.Version, m.Bundle.Short())
			m.Image, err = cluster.Load(ctx, filepath.Join(s.layouts(), m.Bundle.Hex()), string(m.Bundle), ref)
			return err
		})
	}
	return group.Wait()
}
