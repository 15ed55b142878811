package cli

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/cmd/internal/doctor"
	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/gitrepo"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages"
)

// doctorFlags are the flags of `pipeline doctor`.
type doctorFlags struct {
	clusterFlags
	dir      string
	services []string
	runtime  string
	asJSON   bool
}

func newDoctor(s *streams) *cobra.Command {
	f := &doctorFlags{}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine lacks for the stages and for a release",
		Long: `Look at everything that the stages and a release need, change nothing, and say
for each thing whether it is there, what follows when it is not, and what to do.
It takes less than three seconds, also where something does not answer.

States: ok; warning (slower, or a release is affected); problem (a stage of this
project cannot be tested, or its configuration is wrong); not needed.

With --json it is one document: {"pipeline": VERSION, "dir": FOLDER, "state":
the worst state, "notTested": [STAGE...], "checks": [{"group", "name", "state",
"found", "consequence", "remedy", "notTested"}...]}. A stage is SERVICE/STAGE.

Exit codes: 0 no problem; 2 the configuration is wrong; 3 a stage of this
project cannot be tested.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return runDoctor(cmd.Context(), s, f) },
	}
	cmd.Flags().StringVarP(&f.dir, "dir", "C", ".", "folder of the service, or of several")
	cmd.Flags().StringSliceVar(&f.services, "service", nil, "only this service (may be repeated)")
	cmd.Flags().StringVar(&f.runtime, "runtime", "", "runtime of the module stage: sandbox, docker or podman")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	f.addClusterFlags(cmd)
	return cmd
}

func runDoctor(ctx context.Context, s *streams, f *doctorFlags) error {
	if err := (&runFlags{runtime: f.runtime}).check(nil); err != nil {
		return &usageError{err}
	}
	p, err := f.project()
	if err != nil {
		return err
	}
	r := doctor.Examine(ctx, p)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if f.asJSON {
		err = r.JSON(s.out)
	} else {
		err = r.Text(s.out, printable)
	}
	switch {
	case err != nil:
		return err
	case p.Wrong != nil:
		return &usageError{errors.New("the configuration is wrong; the lines of the check \"configuration\" say where")}
	case r.State == doctor.Problem:
		return &stagesError{pipeline.Untested}
	}
	return nil
}

// project reads the project; nothing is started. A wrong call is a *usageError,
// a wrong configuration is not: it is what is looked for.
func (f *doctorFlags) project() (doctor.Project, error) {
	dir, err := filepath.Abs(f.dir)
	if err != nil {
		return doctor.Project{}, err
	}
	p := doctor.Project{
		Version: ownVersion(), Dir: dir, Root: gitrepo.Root(dir), Runtime: f.runtime, Branch: branchOf, Shown: relative,
		Cluster: func(c config.Cluster) doctor.Cluster {
			choice := f.cluster(c)
			return doctor.Cluster{Cluster: choice.Cluster, Kubeconfig: choice.kubeconfig}
		},
		Provider: func(c doctor.Cluster, cache string) (kindtest.Provider, error) {
			return clusterChoice{Cluster: c.Cluster, kubeconfig: c.Kubeconfig}.provider(cache, io.Discard)
		},
	}
	p.Cache, p.CacheErr = cacheDir()
	if _, err := p.Provider(p.Cluster(config.Cluster{}), p.Cache); err != nil {
		return p, err // the flags are wrong
	}
	if p.Services, err = config.Discover(dir); err != nil {
		p.None, p.Wrong, err = unreadable(err)
		return p, err
	}
	if p.Services, err = choose(p.Services, f.services); err != nil {
		return p, err
	}
	return p, planned(&p)
}

// unreadable tells what is to be shown from all other errors.
func unreadable(err error) (none, wrong, failed error) {
	var noService *config.NoService
	switch {
	case errors.As(err, &noService):
		return discoverError(err), nil, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, &usageError{err}
	}
	return nil, err, nil
}

// planned makes the nodes of the services.
func planned(p *doctor.Project) error {
	var others []config.Service
	for _, c := range p.Services {
		others = append(others, *c)
	}
	var nodes []pipeline.Node
	for _, c := range p.Services {
		provider, err := p.Provider(p.Cluster(c.Integration.Cluster), p.Cache)
		if err != nil {
			return err
		}
		nodes = append(nodes, stages.Nodes(stages.Options{
			Service: *c, Sources: source.Open(c.Dir), Others: others, Cache: p.Cache, Runtime: p.Runtime, Provider: provider,
		})...)
	}
	made, err := pipeline.NewPlan(nodes)
	if err != nil {
		p.Wrong = err
		return nil
	}
	p.Nodes = made.Nodes()
	return nil
}
