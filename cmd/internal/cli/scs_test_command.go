package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/bundle"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/stages/system"
)

// systemTestFlags are the flags of `pipeline scs test`.
type systemTestFlags struct {
	systemFlags
	clusterFlags
	set   []string
	force bool
}

func newSystemTest(s *streams) *cobra.Command {
	f := &systemTestFlags{}
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Test one exact combination in a fresh namespace",
		Long: `Install the combination in scs.lock in a fresh namespace, each bundle with its own
chart, and run the acceptance tests. A combination that has passed is not tested
again. Where there is a signing key and a registry in scs.yaml, a combination that
has passed is copied there with its signed verdict.`,
		Example: "  pipeline scs test\n  pipeline scs test --set cart=0.1.3 --set stock=0.1.2",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd.Context(), s)
		},
	}
	f.systemFlags.addFlags(cmd)
	f.clusterFlags.addFlags(cmd)
	cmd.Flags().StringArrayVar(&f.set, "set", nil, "SERVICE=VERSION: this version instead of the one in the lock (may be repeated)")
	cmd.Flags().BoolVarP(&f.force, "force", "f", false, "test also a combination that has passed")
	return cmd
}

// systemTestResult is the JSON form of a test.
type systemTestResult struct {
	ID       evidence.Digest `json:"id"`
	Services []scs.Member    `json:"services"`
	Status   pipeline.Status `json:"status"`
	UpToDate bool            `json:"upToDate,omitempty"`
	Message  string          `json:"message,omitempty"`
	Cause    string          `json:"cause,omitempty"`
	// Published says that the combination is in the system's registry, with its
	// verdict.
	Published bool `json:"published,omitempty"`
}

func (f *systemTestFlags) run(ctx context.Context, s *streams) error {
	sess, err := openSystem(ctx, &f.systemFlags)
	if err != nil {
		return err
	}
	c, err := f.combination(ctx, sess)
	if err != nil {
		return err
	}
	t, err := sess.newSuite(ctx, s, &f.clusterFlags)
	if err != nil {
		return err
	}
	if tested := t.with(c); len(f.set) == 0 && tested.ID() != c.ID() {
		fmt.Fprintln(s.err, "the acceptance tests or the values are not those of the lock: this is another combination")
	}
	c = t.with(c)
	printCombination(s, c)
	if done, err := f.before(ctx, s, t, c); done || err != nil {
		return err
	}
	session := sess.asSession(sess.version())
	session.bury(ctx, s, &f.clusterFlags)
	rec, err := t.run(ctx, c, session.checkout, newPlainView(s.err, true), f.force)
	if rec == nil {
		return err
	}
	if reportErr := session.writeReports(rec); err == nil {
		err = reportErr
	}
	if err != nil {
		return err
	}
	return f.finish(ctx, s, t, c, rec, session)
}

// before looks whether a trusted key has signed that the combination passed: then
// it is not tested again.
func (f *systemTestFlags) before(ctx context.Context, s *streams, t *suite, c scs.Combination) (done bool, err error) {
	if f.force {
		return false, nil
	}
	r, err := t.rules(ctx, true)
	if err != nil {
		return false, err
	}
	v, err := t.testedBefore(ctx, r, c)
	if err != nil || v == nil {
		return false, err
	}
	if f.asJSON {
		return true, printJSON(s.out, systemTestResult{ID: c.ID(), Services: c.Members, Status: pipeline.Passed, UpToDate: true, Message: v.Summary, Published: true})
	}
	_, err = fmt.Fprintf(s.out, "up to date: passed on %s (%s); the signed verdict is in %s\n", v.Issued.Format("2006-01-02"), printable(v.Summary), t.Registry)
	return true, err
}

// finish publishes what has passed, and says how it went.
func (f *systemTestFlags) finish(ctx context.Context, s *streams, t *suite, c scs.Combination, rec *pipeline.Record, session *session) error {
	r := systemTestResult{ID: c.ID(), Services: c.Members, Status: rec.Status}
	if len(rec.Results) > 0 {
		r.UpToDate, r.Message, r.Cause = rec.Results[0].UpToDate, rec.Results[0].Message, rec.Results[0].Cause
	}
	var err error
	if v := session.checkout.Verdict(t.Name + "/" + system.Kind); rec.Status == pipeline.Passed && v != nil && t.lock != nil && len(f.set) == 0 {
		r.Published, err = f.publish(ctx, t, c, v)
	}
	if f.asJSON {
		if printErr := printJSON(s.out, r); err == nil {
			err = printErr
		}
	} else {
		fmt.Fprintln(s.out, summary(rec, session))
	}
	trimCache(ctx, s, session.cache)
	if err != nil || rec.Status.Opens() {
		return err
	}
	return &stagesError{rec.Status}
}

func (f *systemTestFlags) publish(ctx context.Context, t *suite, c scs.Combination, v *evidence.Verdict) (bool, error) {
	r, err := t.rules(ctx, true)
	if err != nil {
		return false, err
	}
	return t.publish(ctx, r, c, t.lock.Version, v)
}

// combination is the one in the lock, with the versions of --set.
func (f *systemTestFlags) combination(ctx context.Context, sess *systemSession) (scs.Combination, error) {
	c := scs.Combination{System: sess.Name}
	if sess.lock != nil {
		c = sess.lock.Combination
	}
	for _, text := range f.set {
		service, version, ok := strings.Cut(text, "=")
		if !ok || service == "" || version == "" {
			return c, &usageError{fmt.Errorf("--set %s: expected SERVICE=VERSION", text)}
		}
		m, err := sess.released(ctx, service, version)
		if err != nil {
			return c, err
		}
		c = c.With(m)
	}
	for _, name := range sess.services() {
		if c.Member(name) != nil {
			continue
		}
		if sess.lock == nil {
			_, err := sess.needLock()
			return c, err
		}
		return c, &usageError{fmt.Errorf("the lock has no version of %s; `pipeline scs update` looks for one, --set %s=VERSION takes one", name, name)}
	}
	return c, nil
}

// released looks a version of a service up by its tag. Whether anybody vouches
// for it is not asked.
func (s *systemSession) released(ctx context.Context, service, version string) (scs.Member, error) {
	from, err := s.sourceOf(service)
	if err != nil {
		return scs.Member{}, err
	}
	digest, err := from.Head(ctx, version)
	if err != nil {
		return scs.Member{}, err
	}
	if digest == "" {
		return scs.Member{}, &usageError{fmt.Errorf("%s has no version %s", from, version)}
	}
	b, err := bundle.Read(ctx, from, digest)
	if err != nil {
		return scs.Member{}, fmt.Errorf("%s:%s: %w", from, version, err)
	}
	return scs.Member{Service: service, Version: version, Bundle: digest, Size: b.Size, Source: from.String()}, nil
}

// version is that of the lock, as reports show it.
func (s *systemSession) version() string {
	if s.lock == nil {
		return ""
	}
	return s.lock.Version
}

// printCombination says what is looked at.
func printCombination(s *streams, c scs.Combination) {
	fmt.Fprintf(s.err, "%s, combination %s\n", c.System, c.ID().Short())
	width := 0
	for _, m := range c.Members {
		width = max(width, len(m.Service))
	}
	for _, m := range c.Members {
		fmt.Fprintf(s.err, "  %-*s  %-10s %s\n", width, m.Service, m.Version, m.Bundle.Short())
	}
}
