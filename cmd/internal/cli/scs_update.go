package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/search"
)

// systemUpdateFlags are the flags of `pipeline scs update`.
type systemUpdateFlags struct {
	systemFlags
	clusterFlags
	only                                    []string
	parallel                                int
	force, dryRun, commit, request, exitSet bool
}

func newSystemUpdate(s *streams) *cobra.Command {
	f := &systemUpdateFlags{}
	cmd := &cobra.Command{
		Use:   "update",
		Short: "Take the newest versions that work together, and say who broke it if they do not",
		Long: `Test the newest candidates together. If they pass they are the new lock. If not,
look for the culprits, the smallest sets of updates that fail together, by testing
combinations in namespaces of their own; the lock becomes the newest combination
that passes. The exit code is 1 when something was held back by a test.`,
		Example: "  pipeline scs update\n  pipeline scs update --only cart --only stock --merge-request",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd.Context(), s)
		},
	}
	f.systemFlags.addFlags(cmd)
	f.clusterFlags.addFlags(cmd)
	flags := cmd.Flags()
	flags.StringSliceVar(&f.only, "only", nil, "update this service and leave the others as they are (may be repeated)")
	flags.IntVar(&f.parallel, "parallel", 0, "combinations tested at once (default: search.parallel of scs.yaml)")
	flags.BoolVarP(&f.force, "force", "f", false, "test also what has a verdict")
	flags.BoolVarP(&f.dryRun, "dry-run", "n", false, "say what would be tested, and change nothing")
	flags.BoolVar(&f.commit, "commit", false, "commit the lock to the system's branch, and push it")
	flags.BoolVar(&f.request, "merge-request", false, "open a merge request with the lock, or bring it up to date")
	flags.BoolVar(&f.exitSet, "exit-code", false, "end with 5 when there is nothing new")
	cmd.MarkFlagsMutuallyExclusive("commit", "merge-request", "dry-run")
	return cmd
}

// updateResult is the JSON form of an update.
type updateResult struct {
	System    string             `json:"system"`
	Candidate combinationResult  `json:"candidate"`
	Status    search.Status      `json:"status,omitempty"` // of the candidate
	Why       string             `json:"why,omitempty"`
	Search    *search.Result     `json:"search,omitempty"`
	Lock      *combinationResult `json:"lock,omitempty"` // the lock afterwards
	Changed   bool               `json:"changed"`
	Changes   []string           `json:"changes,omitempty"`
	Held      []scs.Held         `json:"held,omitempty"`
	Published bool               `json:"published,omitempty"`
	Commit    string             `json:"commit,omitempty"`
	Request   string             `json:"mergeRequest,omitempty"`
}

// combinationResult is a combination in results.
type combinationResult struct {
	Version  string          `json:"version,omitempty"`
	ID       evidence.Digest `json:"id"`
	Services []scs.Member    `json:"services"`
}

func combinationOf(c scs.Combination, version string) combinationResult {
	return combinationResult{Version: version, ID: c.ID(), Services: c.Members}
}

func (f *systemUpdateFlags) run(ctx context.Context, s *streams) error {
	u, err := f.open(ctx, s)
	if err != nil {
		return err
	}
	result, err := u.update(ctx)
	if result != nil {
		if printErr := u.print(result); err == nil {
			err = printErr
		}
	}
	switch {
	case err != nil:
		return err
	case result.Status == search.Failed:
		return &stagesError{pipeline.Failed}
	case result.Status == search.NotTested:
		return &stagesError{pipeline.Untested}
	case f.exitSet && !result.Changed:
		return errNothing
	}
	return nil
}

// updater is one update.
type updater struct {
	*oracle
	flags *systemUpdateFlags
	rules *rules
	found *resolution
	// good is the last good combination as it is tested today; nil without a lock.
	good *scs.Combination
	// candidate has the newest versions.
	candidate scs.Combination
}

func (f *systemUpdateFlags) open(ctx context.Context, s *streams) (*updater, error) {
	sess, err := openSystem(ctx, &f.systemFlags)
	if err != nil {
		return nil, err
	}
	if err := f.check(sess); err != nil {
		return nil, &usageError{err}
	}
	if f.commit || f.request { // what the branch has is what is changed
		if sess.lock, err = sess.branchLock(ctx); err != nil {
			return nil, err
		}
	}
	t, err := sess.newSuite(ctx, s, &f.clusterFlags)
	if err != nil {
		return nil, err
	}
	parallel := sess.Search.Parallel
	if f.parallel > 0 {
		parallel = f.parallel
	}
	u := &updater{oracle: t.oracle(parallel, f.force), flags: f}
	if u.rules, err = sess.rules(ctx, true); err != nil {
		return nil, err
	}
	if u.found, err = sess.resolve(ctx, u.rules); err != nil {
		return nil, err
	}
	return u, u.choose(ctx)
}

func (f *systemUpdateFlags) check(sess *systemSession) error {
	for _, name := range f.only {
		if !slices.Contains(sess.services(), name) {
			return fmt.Errorf("--only %s: no such service; there are %s", name, strings.Join(sess.services(), ", "))
		}
	}
	if len(f.only) > 0 && sess.lock == nil {
		return errors.New("--only: there is no lock yet whose other services could stay as they are")
	}
	if (f.commit || f.request) && sess.remote == "" {
		return fmt.Errorf("--commit and --merge-request need a git remote %q to push to", originRemote)
	}
	return nil
}

// choose puts the candidate together.
func (u *updater) choose(ctx context.Context) error {
	if err := u.found.complete(); err != nil {
		return err
	}
	u.candidate = u.with(u.found.Candidate)
	if u.lock == nil {
		return nil
	}
	if len(u.flags.only) > 0 {
		mixed := u.lock.Combination
		for _, name := range u.flags.only {
			mixed = mixed.With(*u.found.Candidate.Member(name))
		}
		u.candidate = u.with(mixed)
	}
	good := u.with(u.lock.Combination)
	u.good = &good
	return nil
}

// update tests, searches and locks.
func (u *updater) update(ctx context.Context) (*updateResult, error) {
	r := &updateResult{System: u.Name, Candidate: combinationOf(u.candidate, "")}
	u.sayCandidate()
	if u.lock != nil && u.candidate.ID() == u.lock.ID() && !u.flags.force {
		r.Status = search.Passed
		return r, u.finish(ctx, r, u.candidate)
	}
	if u.flags.dryRun {
		return r, nil
	}
	u.asSession("").bury(ctx, u.streams, &u.flags.clusterFlags)
	v := u.first(ctx, u.candidate, "candidate")
	r.Status, r.Why = v.Status, v.Why
	switch v.Status {
	case search.Passed:
		return r, u.finish(ctx, r, u.candidate)
	case search.NotTested:
		return r, ctx.Err()
	}
	return r, u.lookForCulprits(ctx, r)
}

// first asks about a combination outside of a search.
func (u *updater) first(ctx context.Context, c scs.Combination, why string) search.Verdict {
	report, err := u.found.check(ctx, c)
	if err != nil {
		return search.Verdict{Status: search.NotTested, Why: err.Error()}
	}
	if len(report.Problems) > 0 {
		v := search.Verdict{Status: search.Failed, Why: "interfaces: " + report.Problems[0].String()}
		u.say("%-44s  %-10s  %s", why, "ruled out", v.Why)
		return v
	}
	v, err := u.askOnce(ctx, c)
	if err != nil {
		return search.Verdict{Status: search.NotTested, Why: err.Error()}
	}
	u.say("%-44s  %-10s  %s", why, v.Status, v.Why)
	return v
}

// askOnce tests a combination, unless a trusted key has signed that it passed.
func (u *updater) askOnce(ctx context.Context, c scs.Combination) (search.Verdict, error) {
	before, err := u.testedBefore(ctx, u.rules, c)
	if before == nil || err != nil || u.flags.force {
		return u.ask(ctx, c), err
	}
	return search.Verdict{Status: search.Passed, Why: fmt.Sprintf("on %s: %s", before.Issued.Format("2006-01-02"), before.Summary)}, nil
}

func (u *updater) say(format string, args ...any) {
	fmt.Fprintf(u.streams.err, "  %s\n", printable(fmt.Sprintf(format, args...)))
}

// lookForCulprits finds out who made the candidate red, and locks the newest
// combination that passes.
func (u *updater) lookForCulprits(ctx context.Context, r *updateResult) error {
	if u.good == nil {
		return nil // there is nothing to compare it with: the tests say what is wrong
	}
	if u.good.ID() != u.lock.ID() { // other tests, or other values, than it passed with
		if v := u.first(ctx, *u.good, "the versions of the lock"); v.Status != search.Passed {
			r.Status, r.Why = v.Status, "with the versions of the lock too: "+v.Why
			return nil
		}
	}
	older, err := u.older(ctx)
	if err != nil {
		return err
	}
	var broken error
	r.Search, err = search.Find(ctx, *u.good, u.candidate, u.ask, search.Options{
		Parallel: cap(u.slots), Votes: u.Search.Votes, Known: u.known(), Older: older, Tell: u.tell,
		Compatible: func(c scs.Combination) bool {
			report, err := u.found.check(ctx, c)
			broken = errors.Join(broken, err)
			return err == nil && len(report.Problems) == 0
		},
	})
	if err = errors.Join(err, broken); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return u.finish(ctx, r, r.Search.Newest)
}

// older are the versions between the lock's and the newest, for services that
// are held back.
func (u *updater) older(ctx context.Context) (map[string][]scs.Member, error) {
	older := map[string][]scs.Member{}
	for _, c := range u.found.Choices {
		candidates, _, err := c.Older(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range candidates {
			u.found.take(o)
			older[c.Service] = append(older[c.Service], o.Member)
		}
	}
	return older, nil
}

// tell says how a search goes on.
func (u *updater) tell(e search.Event) {
	switch {
	case e.Kind == search.TestDone && e.Test != nil:
		u.say("test %-2d  %-36s  %-10s  %s", e.Test.N, e.Test.Why, e.Test.Verdict.Status, e.Test.Verdict.Why)
	case e.Kind == search.CulpritFound && e.Culprit != nil:
		u.say("culprit  %s", culpritText(*e.Culprit))
	}
}

func (u *updater) sayCandidate() {
	printCombination(u.streams, u.candidate)
	if u.lock == nil {
		return
	}
	for _, c := range scs.Diff(u.lock.Combination, u.candidate) {
		u.say("%s", c)
	}
}

func culpritText(c search.Culprit) string {
	var names []string
	for _, change := range c.Changes {
		names = append(names, changeText(change))
	}
	if len(names) == 1 {
		return names[0] + ": fails by itself"
	}
	return strings.Join(names, " with ") + ": fail only together"
}

func changeText(c search.Change) string {
	if c.To == "" {
		return "no " + c.Service
	}
	return c.Service + " " + c.To
}
