package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/changelog"
	"gitlab.com/selfcontained/pipeline/release/version"
)

func newReleaseNotes(s *streams) *cobra.Command {
	f := &releaseFlags{}
	cmd := &cobra.Command{
		Use:   "notes",
		Short: "Print the notes of the release that is due, as Markdown",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.eachUpcoming(cmd.Context(), func(svc *service, r *changelog.Release) error {
				if r == nil {
					fmt.Fprintf(s.err, "%s has nothing to release\n", svc.Name)
					return nil
				}
				_, err := fmt.Fprint(s.out, changelog.Notes(*r))
				return err
			})
		},
	}
	f.addUpcomingFlags(cmd)
	return cmd
}

func newReleaseChangelog(s *streams) *cobra.Command {
	f := &releaseFlags{}
	file := "CHANGELOG.md"
	cmd := &cobra.Command{
		Use:   "changelog",
		Short: "Write the release that is due into CHANGELOG.md, to be committed before it is built",
		Long: `Write a section for the release that is due into the changelog of each service, in
the form of Keep a Changelog. What people wrote under Unreleased moves into it,
older sections stay as they are. Commit the file with the type docs: it changes
no version.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.eachUpcoming(cmd.Context(), func(svc *service, r *changelog.Release) error {
				if r == nil {
					fmt.Fprintf(s.err, "%s has nothing to release\n", svc.Name)
					return nil
				}
				name := file
				if !filepath.IsAbs(name) {
					name = filepath.Join(svc.Dir, file)
				}
				return f.updateChangelog(s, name, r)
			})
		},
	}
	f.addUpcomingFlags(cmd)
	cmd.Flags().StringVar(&file, "file", file, "the changelog, relative to the service")
	cmd.Flags().BoolVarP(&f.dryRun, "dry-run", "n", false, "print the changelog, and write nothing")
	return cmd
}

func (f *releaseFlags) addUpcomingFlags(cmd *cobra.Command) {
	f.selection.addFlags(cmd)
	cmd.Flags().StringVar(&f.forge, "forge", "", "where links lead: gitlab or none (default: gitlab in its CI)")
	cmd.Flags().BoolVar(&f.stable, "stable", false, "allow to leave 0.x")
	cmd.Flags().StringVar(&f.pre, "pre", "", "a pre-release with this identifier, such as rc")
}

func (f *releaseFlags) updateChangelog(s *streams, name string, r *changelog.Release) error {
	data, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	updated, err := changelog.Update(data, *r)
	var format *changelog.FormatError
	if errors.As(err, &format) {
		return &usageError{fmt.Errorf("%s:%d: %s; expected %s", relative(name), format.Line, format.Found, format.Expected)}
	}
	if err != nil {
		return err
	}
	switch {
	case f.dryRun:
		_, err = s.out.Write(updated)
	case string(updated) == string(data):
		_, err = fmt.Fprintf(s.out, "%s has %s already\n", relative(name), r.Version)
	default:
		if err = evidence.WriteFile(name, updated); err == nil {
			_, err = fmt.Fprintf(s.out, "%s: wrote %s; commit it with `git commit -m 'docs: changelog of %[2]s'`\n", relative(name), r.Version)
		}
	}
	return err
}

// eachUpcoming calls back with the release that is due of each service, nil
// where none is.
func (f *releaseFlags) eachUpcoming(ctx context.Context, do func(*service, *changelog.Release) error) error {
	if err := f.check(); err != nil {
		return &usageError{err}
	}
	sess, err := openSession(ctx, &f.selection)
	if err != nil {
		return err
	}
	for _, svc := range sess.services {
		if !sess.isAsked(svc) {
			continue
		}
		r, err := f.upcoming(ctx, svc)
		if err == nil {
			err = do(svc, r)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", svc.Name, err)
		}
	}
	return nil
}

// upcoming is the release that commits and code ask for, built or not.
func (f *releaseFlags) upcoming(ctx context.Context, svc *service) (*changelog.Release, error) {
	t, err := f.openRepository(ctx, svc)
	if err != nil {
		return nil, err
	}
	facts := &releaseFacts{}
	if err := facts.readHistory(ctx, f, svc, t); err != nil {
		return nil, err
	}
	if facts.version.Last != nil {
		old, err := facts.extractLast(ctx, svc, t)
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(old.root)
		if err := facts.proveCode(ctx, svc, old); err != nil {
			return nil, err
		}
	}
	d, err := version.Decide(facts.version)
	if err != nil || d.Due == nil {
		return nil, err
	}
	r := &changelog.Release{
		Version: d.Due.String(), Tag: facts.version.Prefix + d.Due.String(), Date: time.Now(),
		Commits: facts.commits, Forge: t.links, Proven: release.Proven(facts.version.Proof),
	}
	if d.Last != nil {
		r.Previous = facts.version.Prefix + d.Last.Original()
	}
	return r, nil
}
