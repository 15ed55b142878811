package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

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
	d, err := newDoctorPatient(f)
	if err != nil {
		return err
	}
	r := newDoctorReport(d.dir, examine(ctx, doctorTime, d.checks()))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	write := r.text
	if f.asJSON {
		write = r.json
	}
	if err := write(s.out); err != nil {
		return err
	}
	return d.verdict(r)
}

// doctorPatient is what the checks look at: a project, as far as there is one
// that can be read, on this machine.
type doctorPatient struct {
	flags *doctorFlags
	dir   string
	root  string // top folder of the checkout; "" outside of one
	cache string
	// cacheErr says that there is no folder for the cache.
	cacheErr error
	services []*config.Service
	// none says why there is no service, wrong what is wrong with the
	// configuration.
	none, wrong error
	// nodes are the stages of the services; empty without any.
	nodes   []*pipeline.Node
	engines *doctorEngines
}

// newDoctorPatient reads the project; nothing is started. A wrong call is a
// *usageError, a wrong configuration is not: it is what is looked for.
func newDoctorPatient(f *doctorFlags) (*doctorPatient, error) {
	dir, err := filepath.Abs(f.dir)
	if err != nil {
		return nil, err
	}
	d := &doctorPatient{flags: f, dir: dir, root: gitrepo.Root(dir), engines: newDoctorEngines()}
	d.cache, d.cacheErr = cacheDir()
	if _, err := f.cluster(config.Cluster{}).provider(d.cache, io.Discard); err != nil {
		return nil, err // the flags are wrong
	}
	if d.services, err = config.Discover(dir); err != nil {
		return d, d.unreadable(err)
	}
	if d.services, err = choose(d.services, f.services); err != nil {
		return nil, err
	}
	return d, d.plan()
}

// unreadable keeps what is to be shown and returns all other errors.
func (d *doctorPatient) unreadable(err error) error {
	var none *config.NoService
	switch {
	case errors.As(err, &none):
		d.none = discoverError(err)
	case errors.Is(err, fs.ErrNotExist):
		return &usageError{err}
	default:
		d.wrong = err
	}
	return nil
}

// plan makes the nodes of the services.
func (d *doctorPatient) plan() error {
	var others []config.Service
	for _, c := range d.services {
		others = append(others, *c)
	}
	var nodes []pipeline.Node
	for _, c := range d.services {
		cluster := d.flags.cluster(c.Integration.Cluster)
		provider, err := cluster.provider(d.cache, io.Discard)
		if err != nil {
			return err
		}
		nodes = append(nodes, stages.Nodes(stages.Options{
			Service: *c, Sources: source.Open(c.Dir), Others: others, Cache: d.cache,
			Runtime: d.flags.runtime, Provider: provider,
		})...)
	}
	plan, err := pipeline.NewPlan(nodes)
	if err != nil {
		d.wrong = err
		return nil
	}
	d.nodes = plan.Nodes()
	return nil
}

// verdict is nil, a *usageError for a wrong configuration, or the silent error
// for stages that cannot be tested.
func (d *doctorPatient) verdict(r doctorReport) error {
	switch {
	case d.wrong != nil:
		return &usageError{errors.New("the configuration is wrong; the lines of the check \"configuration\" say where")}
	case r.State == doctorProblem:
		return &stagesError{pipeline.Untested}
	}
	return nil
}

// stagesOf returns the nodes of the plan that fit.
func (d *doctorPatient) stagesOf(fits func(*pipeline.Node) bool) []*pipeline.Node {
	return slices.DeleteFunc(slices.Clone(d.nodes), func(n *pipeline.Node) bool { return !fits(n) })
}

// blocked makes a line a problem when it keeps one of the nodes from being
// tested. Stages that run on demand, and those that may be red for now, do not
// count: without others the line is a warning.
func (d *doctorPatient) blocked(l doctorLine, nodes []*pipeline.Node) doctorLine {
	nodes = slices.DeleteFunc(slices.Clone(nodes), func(n *pipeline.Node) bool {
		return n.OnDemand || n.Waive != nil && time.Now().Before(n.Waive.Until)
	})
	if len(nodes) == 0 {
		l.State = doctorWarning
		return l
	}
	l.State = doctorProblem
	for _, n := range nodes {
		l.NotTested = append(l.NotTested, n.Name)
	}
	l.Consequence = "not tested: " + d.stageNames(nodes)
	if skipped := d.dependents(nodes); len(skipped) > 0 {
		l.Consequence += "; skipped because of that: " + d.stageNames(skipped)
	}
	return l
}

// dependents returns the nodes that cannot start when these do not pass.
func (d *doctorPatient) dependents(nodes []*pipeline.Node) []*pipeline.Node {
	closed := map[string]bool{}
	for _, n := range nodes {
		closed[n.Name] = true
	}
	var more []*pipeline.Node
	for _, n := range d.nodes { // what a node depends on stands before it
		waits := func(dep string) bool { return closed[dep] }
		if !closed[n.Name] && !n.OnDemand && (slices.ContainsFunc(n.Needs, waits) || slices.ContainsFunc(n.After, waits)) {
			closed[n.Name] = true
			more = append(more, n)
		}
	}
	return more
}

// stageNames lists nodes: by the stage's name alone where it is that of all
// services.
func (d *doctorPatient) stageNames(nodes []*pipeline.Node) string {
	count := map[string]int{}
	for _, n := range nodes {
		count[n.Kind]++
	}
	var names []string
	for _, n := range nodes {
		name := n.Name
		if count[n.Kind] == len(d.services) {
			name = n.Kind
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// serviceNames lists names, each with a word about it; a single one needs no
// name.
func (d *doctorPatient) serviceNames(about func(*config.Service) string) string {
	var parts []string
	for _, c := range d.services {
		if len(d.services) == 1 {
			return about(c)
		}
		parts = append(parts, fmt.Sprintf("%s %s", c.Name, about(c)))
	}
	return strings.Join(parts, ", ")
}
