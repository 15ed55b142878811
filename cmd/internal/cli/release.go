package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/release"
)

// releaseFlags are the flags of `pipeline release`.
type releaseFlags struct {
	selection
	clusterFlags
	runtime, registry, forge, pre string
	out                           string
	stable, unsigned, signTag     bool
	dryRun, asJSON, exitCode      bool
}

func newRelease(s *streams) *cobra.Command {
	f := &releaseFlags{}
	cmd := &cobra.Command{
		Use:   "release",
		Short: "Give a version to what was tested",
		Long: `Release the bundle that was tested: say which version is due and prove it, look
whether the gate lets it pass, then push, sign, tag and publish it. Nothing is
built. Each step looks first whether it is done, so a release that ended half way
is finished by the same command.

The signing key is in PIPELINE_SIGNING_KEY (a path or the PEM itself, see pipeline
keys), its password in PIPELINE_SIGNING_PASSWORD.`,
		Example: "  pipeline release --dry-run\n  pipeline release --registry registry.example.com/shop/ --forge none",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runRelease(cmd.Context(), s, f)
		},
	}
	f.selection.addFlags(cmd)
	f.clusterFlags.addFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.runtime, "runtime", "", "runtime of the module stage: sandbox, docker or podman")
	flags.StringVar(&f.registry, "registry", "", "registry and repository of the bundle; behind a slash at the end the service's name is added")
	flags.StringVar(&f.forge, "forge", "", "where the release is published: gitlab, or none for a git tag alone (default: gitlab in its CI)")
	flags.StringVarP(&f.out, "out", "o", "", "folder that the files of the release are written to as well: programs, chart, SBOM, statements, checksums")
	flags.StringVar(&f.pre, "pre", "", "make a pre-release with this identifier, such as rc")
	flags.BoolVar(&f.stable, "stable", false, "allow to leave 0.x: the interface is stable from now on")
	flags.BoolVar(&f.unsigned, "unsigned", false, "release without a signing key; that is shown for ever")
	flags.BoolVar(&f.signTag, "sign-tag", false, "make the tag with git, signed with git's key, and push it")
	flags.BoolVarP(&f.dryRun, "dry-run", "n", false, "say what would be done, and change nothing")
	flags.BoolVar(&f.asJSON, "json", false, "print JSON")
	flags.BoolVar(&f.exitCode, "exit-code", false, "end with 5 when there is nothing to release")
	cmd.AddCommand(newReleaseNotes(s), newReleaseChangelog(s))
	return cmd
}

func (f *releaseFlags) check() error {
	switch f.forge {
	case "", "gitlab", "none":
	default:
		return fmt.Errorf("--forge %s: expected gitlab or none", f.forge)
	}
	if strings.ContainsAny(f.pre, ".+ ") {
		return fmt.Errorf("--pre %q: expected one identifier, such as rc", f.pre)
	}
	return nil
}

// releaseResult is the JSON form of what a release came to.
type releaseResult struct {
	*release.Draft
	Steps []release.State `json:"steps,omitempty"`
	// Released says that this run completed the release.
	Released bool `json:"released"`
}

func runRelease(ctx context.Context, s *streams, f *releaseFlags) error {
	if err := f.check(); err != nil {
		return &usageError{err}
	}
	sess, err := openSession(ctx, &f.selection)
	if err != nil {
		return err
	}
	if err := f.checkRegistries(sess); err != nil {
		return err
	}
	var all []error
	released := false
	for _, svc := range sess.services {
		if !sess.isAsked(svc) {
			continue
		}
		result, err := f.release(ctx, s, sess, svc)
		if result != nil {
			released = released || result.Released
			if printErr := f.print(s.out, result); err == nil {
				err = printErr
			}
		}
		if ctx.Err() != nil {
			return &cancelledError{svc.Name}
		}
		all = append(all, err)
	}
	if err := errors.Join(all...); err != nil {
		return err
	}
	if f.exitCode && !released {
		return errNothing
	}
	return nil
}

// cancelledError says that a release was cancelled; what it was doing just then
// is of no interest.
type cancelledError struct{ service string }

func (e *cancelledError) Error() string {
	return "the release of " + e.service + " was cancelled; what is done stays, the same command does the rest"
}

// Is tells what it comes from.
func (e *cancelledError) Is(target error) bool { return target == context.Canceled }

// errNothing says that there was nothing to do and that this is asked for.
var errNothing = errors.New("nothing to release")

func (f *releaseFlags) print(w io.Writer, r *releaseResult) error {
	if f.asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	text := r.Draft.Text(r.Steps) + r.outcome(f.dryRun)
	if f.dryRun && r.Notes != "" {
		text += "  notes\n" + indented(r.Notes)
	}
	_, err := io.WriteString(w, harmless(text)) // commits may say anything
	return err
}

// outcome is the last line: what has happened.
func (r *releaseResult) outcome(dryRun bool) string {
	switch {
	case r.Released:
		return fmt.Sprintf("released %s %s\n", r.Service, r.Version)
	case len(r.Steps) > 0 && allThere(r.Steps):
		return fmt.Sprintf("%s %s is released already; nothing was done\n", r.Service, r.Version)
	case dryRun && r.Allowed():
		return "dry run: nothing was done\n"
	}
	return ""
}

func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimRight("           "+line, " \n") + "\n")
	}
	return b.String()
}

// release goes Decide -> Check -> Apply for one service.
func (f *releaseFlags) release(ctx context.Context, s *streams, sess *session, svc *service) (*releaseResult, error) {
	target, err := f.target(ctx, sess, svc)
	if err != nil {
		return nil, err
	}
	defer target.close()
	if err := f.checkPrograms(svc, target); err != nil {
		return nil, err
	}
	facts, err := f.facts(ctx, s, sess, svc, target)
	if err != nil {
		return nil, err
	}
	draft, err := release.Decide(facts.input(f, svc, target, time.Now()))
	if err != nil {
		return nil, err
	}
	result := &releaseResult{Draft: draft}
	switch {
	case draft.Nothing():
		return result, nil
	case !draft.Allowed():
		return result, &release.RefusedError{Draft: draft}
	}
	plan, err := facts.plan(ctx, f, draft, svc, target)
	if err != nil {
		return result, err
	}
	defer plan.close()
	steps := plan.Steps()
	if result.Steps, err = release.Check(ctx, steps); err != nil {
		return result, err
	}
	if allThere(result.Steps) {
		return result, nil
	}
	unknown, err := plan.CheckRights(ctx, !f.dryRun)
	for _, right := range unknown {
		fmt.Fprintf(s.err, "  %s\n", right)
	}
	if err != nil || f.dryRun {
		return result, err
	}
	err = release.Apply(ctx, steps, func(step release.Step, done bool) {
		if done {
			fmt.Fprintf(s.err, "  %s %s: %s\n", svc.Name, draft.Version, step.What)
		}
	})
	if err != nil {
		return result, fmt.Errorf("release %s %s: %w; what is done stays, run the same command again", svc.Name, draft.Version, err)
	}
	for i := range result.Steps {
		state := &result.Steps[i]
		state.There, state.Done = true, !state.There
	}
	result.Released = true
	return result, nil
}

func allThere(states []release.State) bool {
	for _, s := range states {
		if !s.There {
			return false
		}
	}
	return true
}
