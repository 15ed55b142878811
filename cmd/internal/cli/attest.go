package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/registry"
)

func newAttest(s *streams) *cobra.Command {
	return group(&cobra.Command{Use: "attest", Short: "Sign what people say about a bundle"}, newAttestManual(s), newAttestOverride(s))
}

// attestFlags choose the bundle, and say who speaks.
type attestFlags struct {
	releaseFlags
	by string
}

func (f *attestFlags) addFlags(cmd *cobra.Command) {
	f.selection.addFlags(cmd)
	cmd.Flags().StringVar(&f.registry, "registry", "", "registry and repository of the bundle; behind a slash at the end the service's name is added")
	cmd.Flags().StringVar(&f.by, "by", "", "who says so (default: the user of this machine)")
}

func newAttestManual(s *streams) *cobra.Command {
	f := &attestFlags{}
	var failed []string
	cmd := &cobra.Command{
		Use:   "manual [ITEM...]",
		Short: "Say which manual tests passed on the bundle that is here",
		Long: `Sign a checklist of manual tests for the bundle that was built, push the bundle by
its digest, and attach the checklist to it. Without items all of release.checklist
have passed.`,
		Example: "  pipeline attest manual 'log in' 'place an order' --by anna@example.com",
		RunE: func(cmd *cobra.Command, items []string) error {
			return f.attest(cmd.Context(), s, func(svc *service, now time.Time, by string) (sign.Predicate, error) {
				return checklist(svc, items, failed, now, by)
			})
		},
	}
	f.addFlags(cmd)
	cmd.Flags().StringSliceVar(&failed, "failed", nil, "an item that failed (may be repeated)")
	return cmd
}

func checklist(svc *service, passed, failed []string, now time.Time, by string) (sign.Predicate, error) {
	if len(passed) == 0 {
		passed = slices.DeleteFunc(slices.Clone(svc.Release.Checklist), func(item string) bool { return slices.Contains(failed, item) })
	}
	if len(passed)+len(failed) == 0 {
		return nil, &usageError{errors.New("no items: name them, or list them under release.checklist in pipeline.yaml")}
	}
	m := sign.Manual{Terms: sign.Terms{Issued: now, Sequence: now.Unix()}, By: by, At: now}
	for _, item := range passed {
		m.Items = append(m.Items, sign.Item{Name: item, Result: "passed"})
	}
	for _, item := range failed {
		m.Items = append(m.Items, sign.Item{Name: item, Result: "failed"})
	}
	return m, nil
}

func newAttestOverride(s *streams) *cobra.Command {
	f := &attestFlags{}
	var reason string
	var days int
	cmd := &cobra.Command{
		Use:   "override RULE",
		Short: "Let a rule of the gate pass for the bundle that is here; it is shown for ever",
		Long: `Sign that a rule of the gate may pass for this bundle although it is not met. Rules
are named as pipeline release prints them: "stage integration", "approvals",
"manual", "branch", "clean tree". The release carries the override for ever.`,
		Example: "  pipeline attest override 'stage integration' --reason 'the cluster is down, tested by hand' --days 2",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(reason) == "" || days < 1 {
				return &usageError{errors.New("an override needs --reason, and --days of at least 1")}
			}
			return f.attest(cmd.Context(), s, func(_ *service, now time.Time, by string) (sign.Predicate, error) {
				return sign.Override{
					Terms: sign.Terms{Issued: now, Sequence: now.Unix()}, Rule: args[0], Reason: reason, By: by,
					At: now, Until: now.AddDate(0, 0, days),
				}, nil
			})
		},
	}
	f.addFlags(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why it may pass")
	cmd.Flags().IntVar(&days, "days", 7, "for how many days")
	return cmd
}

// attest signs a statement for each service's bundle and attaches it there.
func (f *attestFlags) attest(ctx context.Context, s *streams, say func(svc *service, now time.Time, by string) (sign.Predicate, error)) error {
	sess, err := openSession(ctx, &f.selection)
	if err != nil {
		return err
	}
	if err := f.checkRegistries(sess); err != nil {
		return err
	}
	for _, svc := range sess.services {
		if !sess.isAsked(svc) {
			continue
		}
		if svc.Main == "" {
			return &usageError{fmt.Errorf("%s is a library: it has no bundle that something could be said about", svc.Name)}
		}
		p, err := say(svc, time.Now().UTC().Truncate(time.Second), f.speaker())
		if err != nil {
			return err
		}
		if err := f.attach(ctx, s, sess, svc, p); err != nil {
			return fmt.Errorf("%s: %w", svc.Name, err)
		}
	}
	return nil
}

// speaker is who signs: as told, else the user of the machine.
func (f *attestFlags) speaker() string { return speaker(f.by) }

// speaker is who says something: the given name or, without one, the user who
// started the job, or that of this machine.
func speaker(by string) string {
	if by = cmp.Or(by, os.Getenv("GITLAB_USER_LOGIN")); by != "" {
		return by
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return cmp.Or(os.Getenv("USER"), "somebody")
}

func (f *attestFlags) attach(ctx context.Context, s *streams, sess *session, svc *service, p sign.Predicate) error {
	signer, err := sign.FromEnvironment(os.Getenv)
	if err != nil {
		return err
	}
	t := &releaseTarget{close: func() {}}
	if err := f.openRegistry(t, sess, svc); err != nil {
		return err
	}
	defer func() { t.close() }()
	facts := &releaseFacts{}
	if err := facts.readBundle(sess.checkout.Out(svc.Name + "/container")); err != nil {
		return err
	}
	about := sign.Subject{Name: svc.Name, Digest: facts.bundle.Digest}
	envelope, err := signer.Sign(about, p)
	if err != nil {
		return err
	}
	if err := registry.Push(ctx, t.bundle, facts.layout, facts.bundle.Digest); err != nil {
		return err
	}
	if _, err := attach.Put(ctx, t.bundle, envelope); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s %s: signed, and attached to %s@%s\n", svc.Name, facts.bundle.Version, t.bundle, facts.bundle.Digest)
	return err
}
