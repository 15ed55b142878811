package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/report"
	"gitlab.com/selfcontained/pipeline/stages/module"
)

// runFlags are the flags of `pipeline run`.
type runFlags struct {
	selection
	clusterFlags
	only, force, keepGoing, asJSON bool
	jobs                           int
	runtime                        string
}

func newRun(s *streams) *cobra.Command {
	f := &runFlags{}
	cmd := &cobra.Command{
		Use:   "run [STAGE...]",
		Short: "Run the stages that have no verdict yet",
		Long: `Run the named stages and what they need, or all. A stage that has a passed
verdict for exactly these inputs, with its outputs in place, is up to date and
is not run.`,
		Example: "  pipeline run\n  pipeline run unit lint\n  pipeline run integration --service cart",
		RunE: func(cmd *cobra.Command, args []string) error {
			return runStages(cmd.Context(), s, f, args)
		},
	}
	f.selection.addFlags(cmd)
	f.clusterFlags.addFlags(cmd)
	cmd.Flags().BoolVar(&f.only, "only", false, "run only the named stages; what they need must be there (for CI jobs)")
	cmd.Flags().BoolVarP(&f.force, "force", "f", false, "run what is named, or all, also where it is up to date, and every test of it")
	cmd.Flags().BoolVarP(&f.keepGoing, "keep-going", "k", false, "start stages also after another one has failed")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print events as JSON lines on stdout")
	cmd.Flags().IntVarP(&f.jobs, "jobs", "j", 0, "stages at once (default: two per processor, at least 6)")
	cmd.Flags().StringVar(&f.runtime, "runtime", "", "runtime of the module stage: sandbox, docker or podman")
	return cmd
}

// check refuses values that mean nothing.
func (f *runFlags) check(names []string) error {
	switch {
	case f.only && len(names) == 0:
		return errors.New("--only needs the names of the stages to run")
	case f.jobs < 0:
		return fmt.Errorf("--jobs %d: expected a number from 1, or 0 for the default", f.jobs)
	case !slices.Contains([]string{"", "sandbox", "docker", "podman"}, f.runtime):
		return fmt.Errorf("--runtime %s: expected sandbox, docker or podman", f.runtime)
	}
	return nil
}

func runStages(ctx context.Context, s *streams, f *runFlags, names []string) error {
	if err := f.check(names); err != nil {
		return &usageError{err}
	}
	sess, err := openSession(ctx, &f.selection)
	if err != nil {
		return err
	}
	observer, done := f.view(s, sess)
	defer done()
	e, err := sess.engine(s, &f.clusterFlags, f.runtime)
	if err != nil {
		return err
	}
	if e.Plan, err = sess.selected(e.Plan, names); err != nil {
		return err
	}
	e.KeepGoing, e.Jobs = f.keepGoing, f.jobs
	if f.force {
		e.Forced = named(sess.asked, e.Plan, names)
	}
	if f.only {
		e.Only = named(sess.asked, e.Plan, names)
	}
	e.Observer = observer
	sess.bury(ctx, s, &f.clusterFlags)
	if !f.asJSON {
		sess.announce(s, e.Plan.Services())
	}
	rec, err := e.Run(ctx)
	done()
	if rec != nil {
		if reportErr := sess.writeReports(rec); err == nil {
			err = reportErr
		}
	}
	if err != nil {
		return err
	}
	if !f.asJSON {
		if err := sess.printFigures(s.out, rec); err != nil {
			return err
		}
		if line := coverageLine(rec); line != "" && inGitLab() {
			fmt.Fprintln(s.out, line)
		}
		fmt.Fprintln(s.out, summary(rec, sess))
	}
	trimCache(ctx, s, sess.cache)
	if rec.Status.Opens() {
		return nil
	}
	return &stagesError{rec.Status}
}

// view returns the observer for a run. done ends it and may be called twice.
// While a status line is drawn, all else that goes to stderr goes through it.
func (f *runFlags) view(s *streams, sess *session) (o pipeline.Observer, done func()) {
	if f.asJSON {
		return &jsonView{json.NewEncoder(s.out)}, func() {}
	}
	plain := newPlainView(s.err, sess.single())
	if inGitLab() {
		return &gitlabView{plain}, func() {}
	}
	if s.size == nil {
		return plain, func() {}
	}
	terminal := s.err
	v := newStatusView(terminal, plain, s.size)
	s.err = v
	return v, sync.OnceFunc(func() {
		v.close()
		s.err = terminal
	})
}

// printFigures prints what was measured, in the form of `go test -bench`.
func (sess *session) printFigures(w io.Writer, rec *pipeline.Record) error {
	for _, r := range rec.Results {
		if r.Findings != nil && len(r.Findings.Benchmarks) > 0 {
			return report.Benchmarks(w, sess.reportOf(rec))
		}
	}
	return nil
}

// named returns the nodes that the arguments name, all of the services that
// were asked for without arguments.
func named(asked []string, p *pipeline.Plan, names []string) []string {
	var nodes []string
	for _, n := range p.Nodes() {
		if n.Named(names...) && slices.Contains(asked, n.Service) || slices.Contains(names, n.Name) {
			nodes = append(nodes, n.Name)
		}
	}
	return nodes
}

// bury frees what runs left that were killed: processes, temporary files,
// containers, and the namespaces of those that had begun to use the cluster.
func (sess *session) bury(ctx context.Context, s *streams, f *clusterFlags) {
	for _, id := range sess.checkout.DeadRuns() {
		rec := sess.checkout.Record(id)
		killed, err := sess.checkout.Bury(id)
		err = errors.Join(err, module.Sweep(ctx, id))
		fmt.Fprintf(s.err, "run %s ended without a clean-up: freed what it left%s\n", id, ofProcesses(killed))
		if rec != nil && rec.Began("integration") {
			err = errors.Join(err, sess.sweepClusters(ctx, s, f))
		}
		if err != nil {
			fmt.Fprintf(s.err, "  not all of it: %v\n", err)
		}
	}
}

func ofProcesses(killed int) string {
	if killed == 0 {
		return ""
	}
	return fmt.Sprintf(", %d processes among it", killed)
}

// sweepClusters deletes the namespaces of dead runs in the clusters that the
// services use. A cluster that does not answer is none.
func (sess *session) sweepClusters(ctx context.Context, s *streams, f *clusterFlags) error {
	var all error
	for _, svc := range sess.services {
		p, err := f.cluster(svc.Integration.Cluster).provider(sess.cache, s.err)
		if err == nil && p.Check(ctx) == nil {
			err = sweep(ctx, p, prefixWriter{s.err, "  deleted namespace "})
		}
		all = errors.Join(all, err)
	}
	return all
}

// prefixWriter puts a text before everything that is written at once.
type prefixWriter struct {
	w      io.Writer
	prefix string
}

func (p prefixWriter) Write(b []byte) (int, error) {
	if _, err := io.WriteString(p.w, p.prefix+string(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// announce says which services are going to be looked at.
func (sess *session) announce(s *streams, names []string) {
	for _, svc := range sess.services {
		if !slices.Contains(names, svc.Name) {
			continue // here for what is not asked for
		}
		fmt.Fprintf(s.err, "%s %s (%s)\n", svc.Name, svc.version, relative(svc.Dir))
	}
}

// summary is the one line that tells how the run went.
func summary(rec *pipeline.Record, sess *session) string {
	counts := map[string]int{}
	var order []string
	for _, r := range rec.Results {
		state := string(r.Status)
		if r.UpToDate && r.Status == pipeline.Passed {
			state = "up to date"
		}
		if counts[state] == 0 {
			order = append(order, state)
		}
		counts[state]++
	}
	var parts []string
	for _, state := range order {
		parts = append(parts, fmt.Sprintf("%d %s", counts[state], state))
	}
	line := fmt.Sprintf("%s in %s: %s", rec.Status, seconds(rec.Ended.Sub(rec.Started)), strings.Join(parts, ", "))
	return line + "; report: " + relative(sess.page())
}
