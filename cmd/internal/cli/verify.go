package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/passport"
	"gitlab.com/selfcontained/pipeline/release/scs/promote"
)

// verifyFlags are the flags of `pipeline verify`.
type verifyFlags struct {
	systemFlags
	offline bool
	keys    []string
	require []string
}

func newVerify(s *streams) *cobra.Command {
	f := &verifyFlags{}
	cmd := &cobra.Command{
		Use:   "verify ENVIRONMENT|LOCK|BUNDLE|FILE",
		Short: "Print the passport of an environment, a lock or a bundle: every gate, verdict and approver",
		Long: `Verify an environment of the system, a lock file, or a bundle in a registry, and print
its passport: by whom and when each gate was met, what was let pass, and why it is
refused if it is. The trusted keys come from the system's protected branch; for a
bundle without a system name them with --key. With --offline nothing but the clone
is read: an environment has all its evidence in its branch.

A file that was downloaded from a release is proved by the signed statements of
that release, NAME-VERSION.intoto.jsonl, which have to lie beside it.`,
		Example: "  pipeline verify production\n  pipeline verify scs.lock\n  pipeline verify registry.example.com/shop/stock:0.1.1 --key release.pub\n  pipeline verify stock-0.1.0-linux-amd64.tar.gz --key release.pub",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if isReleasedFile(args[0]) {
				return f.file(cmd.Context(), s, args[0])
			}
			p, err := f.passport(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if f.asJSON {
				err = printJSON(s.out, p)
			} else {
				_, err = io.WriteString(s.out, harmless(p.Text()))
			}
			if err == nil && !p.Valid() {
				err = &gateError{fmt.Sprintf("%s is refused (%s)", args[0], refusedClasses(p))}
			}
			return err
		},
	}
	f.systemFlags.addFlags(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.offline, "offline", false, "read nothing but the clone")
	flags.StringArrayVar(&f.keys, "key", nil, "public key that is trusted, instead of those of the system (may be repeated)")
	flags.StringSliceVar(&f.require, "require", nil, "with --key: stages that have to have a verdict")
	return cmd
}

func refusedClasses(p *passport.Passport) string {
	var classes []string
	for _, c := range p.Refused() {
		classes = append(classes, string(c))
	}
	return strings.Join(classes, ", ")
}

// passport verifies what the target names.
func (f *verifyFlags) passport(ctx context.Context, target string) (*passport.Passport, error) {
	sess, err := openWithoutLock(ctx, &f.systemFlags)
	var usage *usageError
	var none *config.NoSystem
	outside := errors.As(err, &none)
	if outside {
		if err := noReleasedFile(target); err != nil {
			return nil, err
		}
	}
	switch {
	case errors.As(err, &usage) && outside && len(f.keys) > 0:
		sess = nil // the keys say whom to believe
	case outside:
		return nil, &usageError{fmt.Errorf("%w; or name the trusted keys with --key to verify a bundle", err)}
	case err != nil:
		return nil, err
	}
	r, err := f.rules(ctx, sess)
	if err != nil {
		return nil, err
	}
	switch {
	case sess != nil && sess.environment(target) != nil:
		return f.environment(ctx, sess, r, target)
	case sess != nil && exists(target):
		return f.lock(ctx, sess, r, target)
	case strings.Contains(target, "/"):
		return f.bundle(ctx, sess, r, target)
	case sess == nil:
		return nil, &usageError{fmt.Errorf("%s: expected a bundle such as registry.example.com/shop/stock:1.4.2", target)}
	}
	return nil, &usageError{fmt.Errorf("%s: expected an environment (%s), a lock file, or a bundle such as registry.example.com/shop/stock:1.4.2", target, sess.environments())}
}

// rules are those of the system, with the keys of the flags in the place of its
// own.
func (f *verifyFlags) rules(ctx context.Context, sess *systemSession) (*rules, error) {
	r := &rules{From: "the command line"}
	var err error
	if sess != nil {
		if r, err = sess.rules(ctx, !f.offline); err != nil {
			return nil, err
		}
	}
	if len(f.keys) == 0 {
		return r, nil
	}
	r.Require, r.Trust.Keys = f.require, nil
	for _, file := range f.keys {
		key, err := sign.ReadPublic(file)
		if err != nil {
			return nil, &usageError{fmt.Errorf("--key %w", err)}
		}
		r.Trust.Keys = append(r.Trust.Keys, key)
	}
	return r, nil
}

func (f *verifyFlags) environment(ctx context.Context, sess *systemSession, r *rules, name string) (*passport.Passport, error) {
	_, p, err := sess.verified(ctx, r, name, !f.offline)
	if err == nil && p == nil {
		err = nobodyPromoted(name)
	}
	return p, err
}

func nobodyPromoted(env string) error {
	return &gateError{fmt.Sprintf("nobody has promoted to %s yet; `pipeline scs promote --to %s` does", env, env)}
}

// verified reads an environment and its passport, which is nil when nobody has
// promoted to it yet.
func (s *systemSession) verified(ctx context.Context, r *rules, name string, online bool) (*promote.Environment, *passport.Passport, error) {
	env, err := s.readEnvironment(ctx, name, online)
	if err != nil || env.Files == nil {
		return env, nil, err
	}
	seen, err := s.seen(ctx, r, name, online)
	if err != nil {
		return env, nil, err
	}
	p := env.Judge(seen, r.Rules, time.Now())
	return env, p, s.meet(p)
}

// readEnvironment reads an environment from where it is or, offline, as far as
// the clone knows.
func (s *systemSession) readEnvironment(ctx context.Context, name string, online bool) (*promote.Environment, error) {
	if s.repo == nil {
		return nil, &usageError{fmt.Errorf("%s is in no git repository: an environment is a branch of one", relative(s.Dir))}
	}
	if online {
		return promote.ReadEnvironment(ctx, s.repo, s.where(), name)
	}
	rev := "refs/heads/" + promote.Branch(name)
	if s.remote != "" {
		rev = "refs/remotes/" + s.remote + "/" + promote.Branch(name)
	}
	return promote.ReadEnvironmentAt(ctx, s.repo, rev, name)
}

func (f *verifyFlags) lock(ctx context.Context, sess *systemSession, r *rules, file string) (*passport.Passport, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	l, err := scs.ParseLock(file, data)
	if err != nil {
		return passport.Lock(file, data, nil, r.Rules, time.Now()), nil
	}
	ev, err := f.evidence(ctx, sess, l.Combination)
	if err != nil {
		return nil, err
	}
	return passport.Lock(file, data, ev, r.Rules, time.Now()), nil
}

// evidence about a combination is in the registries; offline, in the branches of
// the environments.
func (f *verifyFlags) evidence(ctx context.Context, sess *systemSession, c scs.Combination) (passport.Evidence, error) {
	if f.offline {
		return f.evidenceHere(ctx, sess)
	}
	own, err := sess.own()
	if err != nil {
		return nil, err
	}
	return sess.evidence(ctx, own, c)
}

func (f *verifyFlags) evidenceHere(ctx context.Context, sess *systemSession) (passport.Evidence, error) {
	ev := passport.Evidence{}
	for _, e := range sess.Environments {
		env, err := sess.readEnvironment(ctx, e.Name, false)
		if err != nil {
			return nil, err
		}
		ev = promote.Join(ev, promote.FileEvidence(env.Files))
	}
	return ev, nil
}

// bundle verifies a bundle by tag or digest.
func (f *verifyFlags) bundle(ctx context.Context, sess *systemSession, r *rules, ref string) (*passport.Passport, error) {
	where, tag, digest := splitReference(ref)
	if tag == "" && digest == "" {
		return nil, &usageError{fmt.Errorf("%s: which one? expected a tag or a digest behind it, such as %s:1.4.2", ref, ref)}
	}
	service := path.Base(where)
	if sess != nil {
		for _, svc := range sess.Services {
			if svc.Source == where {
				service = svc.Name
			}
		}
	}
	if f.offline {
		if digest == "" || sess == nil {
			return nil, &usageError{fmt.Errorf("%s: a tag is a question to the registry; with --offline expected a digest, in the folder of a system", ref)}
		}
		ev, err := f.evidenceHere(ctx, sess)
		return passport.Bundle(service, tag, digest, ev, r.Rules, time.Now()), err
	}
	in, err := openRepositoryAt(where)
	if err != nil {
		return nil, err
	}
	if digest == "" {
		if digest, err = in.Head(ctx, tag); err != nil {
			return nil, err
		}
		if digest == "" {
			return nil, &gateError{fmt.Sprintf("%s has no tag %s", in, tag)}
		}
	}
	ev, err := attached(ctx, in, digest)
	return passport.Bundle(service, tag, digest, ev, r.Rules, time.Now()), err
}

// attached is what a repository says of a bundle.
func attached(ctx context.Context, in *repository.Repository, about evidence.Digest) (passport.Evidence, error) {
	list, err := attach.List(ctx, in, about)
	ev := passport.Evidence{}
	for _, a := range list {
		if a.Err == nil {
			ev[about] = append(ev[about], a.Envelope)
		}
	}
	return ev, err
}

// splitReference takes "host:port/path:tag" or "host:port/path@digest" apart.
func splitReference(ref string) (where, tag string, digest evidence.Digest) {
	where, rest, _ := strings.Cut(ref, "@")
	digest = evidence.Digest(rest)
	if colon := strings.LastIndexByte(where, ':'); colon > strings.LastIndexByte(where, '/') {
		where, tag = where[:colon], where[colon+1:]
	}
	return where, tag, digest
}
