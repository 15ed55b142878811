package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/gitrepo"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/release/version"
)

// selection are the flags of all commands that look at services.
type selection struct {
	dir      string
	services []string
	version  string
}

func (sel *selection) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&sel.dir, "dir", "C", ".", "folder of the service, or of several")
	cmd.Flags().StringSliceVar(&sel.services, "service", nil, "only this service, and what it needs of others (may be repeated)")
	cmd.Flags().StringVar(&sel.version, "version", "", "version to stamp, instead of the one that git asks for")
}

// session is what a command knows of the services that it works on.
type session struct {
	root     string // top folder of the checkout
	cache    string // folder that all checkouts share
	checkout *pipeline.Checkout
	store    *evidence.Store
	services []*service
	// asked are the names of the services that the command is about; the others
	// are there because these are tested beside them.
	asked []string
}

// service is one service with its sources and the version it is built as.
type service struct {
	*config.Service
	sources *source.Folder
	version string
}

func openSession(ctx context.Context, sel *selection) (*session, error) {
	dir, err := filepath.Abs(sel.dir)
	if err != nil {
		return nil, err
	}
	all, err := config.Discover(dir)
	if err != nil {
		return nil, discoverError(err)
	}
	configs, err := choose(all, sel.services)
	if err != nil {
		return nil, err
	}
	asked := names(configs)
	if configs, err = withNeighbours(configs, all, dir); err != nil {
		return nil, err
	}
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	root := gitrepo.Root(dir)
	if root == "" {
		root = dir
	}
	s := &session{root: root, cache: cache, checkout: pipeline.OpenCheckout(root), store: evidence.Open(cache), asked: asked}
	for _, c := range configs {
		svc := &service{Service: c, sources: source.Open(c.Dir)}
		if svc.version, err = candidate(ctx, svc, sel.version); err != nil {
			return nil, err
		}
		s.services = append(s.services, svc)
	}
	return s, nil
}

// isAsked reports whether the command is about the service.
func (s *session) isAsked(svc *service) bool { return slices.Contains(s.asked, svc.Name) }

// discoverError makes "there is no service" a usage error.
func discoverError(err error) error {
	var none *config.NoService
	if errors.As(err, &none) {
		if above := serviceAbove(none.Dir); above != "" {
			err = fmt.Errorf("%w; there is a service above: pipeline ... -C %s", err, proc.Quote([]string{relative(above)}))
		}
		return &usageError{err}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return &usageError{err}
	}
	return err
}

// serviceAbove returns the nearest folder above dir that is a service, or "".
func serviceAbove(dir string) string {
	for at := filepath.Dir(dir); at != filepath.Dir(at); at = filepath.Dir(at) {
		if _, err := config.Load(at); err == nil {
			return at
		}
	}
	return ""
}

// choose returns the services of the given names, all if there are none.
func choose(all []*config.Service, chosen []string) ([]*config.Service, error) {
	if len(chosen) == 0 {
		return all, nil
	}
	known := names(all)
	for _, n := range chosen {
		if !slices.Contains(known, n) {
			return nil, &usageError{fmt.Errorf("no service %q here; there are %s", n, strings.Join(known, ", "))}
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(c *config.Service) bool { return !slices.Contains(chosen, c.Name) }), nil
}

func names(services []*config.Service) []string {
	var list []string
	for _, c := range services {
		list = append(list, c.Name)
	}
	return list
}

// withNeighbours adds the services that the given ones are tested beside, and
// those whose stages are needed: out of all that were found, or, where the
// command works on one service alone, from the folders next to its own.
func withNeighbours(services, all []*config.Service, dir string) ([]*config.Service, error) {
	var wanted []string
	for _, c := range services {
		for _, w := range c.Integration.With {
			wanted = append(wanted, w.Service)
		}
		wanted = append(wanted, neededServices(c)...)
	}
	for len(wanted) > 0 {
		name := wanted[0]
		wanted = wanted[1:]
		if name == "" || slices.Contains(names(services), name) {
			continue
		}
		found, err := findService(name, all, dir)
		if err != nil {
			return nil, err
		}
		if found != nil {
			services = append(services, found)
			wanted = append(wanted, neededServices(found)...) // without them its stages have no place in a plan
		}
	}
	slices.SortFunc(services, func(a, b *config.Service) int { return strings.Compare(a.Name, b.Name) })
	return services, nil
}

// neededServices are those of whose stages a service needs the outputs, or that
// have to come before: SERVICE/STAGE in needs and after.
func neededServices(c *config.Service) []string {
	var list []string
	for _, stage := range c.Stages {
		for _, name := range slices.Concat(stage.Needs, stage.After) {
			if service, _, other := strings.Cut(name, "/"); other {
				list = append(list, service)
			}
		}
	}
	return list
}

// findService returns a service by its name, nil when it is not there.
func findService(name string, all []*config.Service, dir string) (*config.Service, error) {
	if at := slices.Index(names(all), name); at >= 0 {
		return all[at], nil
	}
	beside, err := config.Load(filepath.Join(filepath.Dir(dir), name))
	var none *config.NoService
	switch {
	case errors.As(err, &none), errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the service %s, which another one needs: %w", name, err)
	case beside.Name != name:
		return nil, nil
	}
	return beside, nil
}

// cacheDir returns the folder that all checkouts of this user share.
func cacheDir() (string, error) {
	if dir := os.Getenv("PIPELINE_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a cache folder: %w; set PIPELINE_CACHE to a folder that can be written", err)
	}
	return filepath.Join(base, "pipeline"), nil
}

// candidate returns the version that the service is built as.
func candidate(ctx context.Context, svc *service, override string) (string, error) {
	if override != "" {
		if _, err := semver.StrictNewVersion(override); err != nil {
			return "", &usageError{fmt.Errorf("--version %q: %w; expected a version like 1.4.2 or 1.4.2-rc.1", override, err)}
		}
		return override, nil
	}
	tree, err := svc.sources.Scan(ctx)
	if err != nil {
		return "", err
	}
	state := version.State{Prefix: svc.Release.TagPrefix, Content: tree.Shipped().Digest().Hex()}
	if err := readHistory(ctx, svc, &state); err != nil {
		return "", err
	}
	return version.Candidate(state), nil
}

// readHistory fills in what git knows; without a repository that is nothing.
func readHistory(ctx context.Context, svc *service, state *version.State) error {
	repo, err := gitrepo.Open(svc.Dir)
	if errors.Is(err, gitrepo.ErrNoRepository) {
		return nil
	}
	head, err := repo.Head(ctx, svc.Dir)
	if errors.Is(err, gitrepo.ErrNoRepository) || err == nil && head.Commit == "" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the git repository: %w", err)
	}
	if err := fetchHistory(ctx, repo, state.Prefix); err != nil {
		return err
	}
	if state.Tags, err = repo.Tags(ctx, head.Commit, state.Prefix); err != nil {
		return err
	}
	from := ""
	if last := version.Last(state.Tags, state.Prefix); last != nil {
		from = state.Prefix + last.String()
	}
	commits, err := repo.Log(ctx, from, head.Commit, svc.Dir)
	for _, c := range commits {
		state.Commits = append(state.Commits, version.Commit{Hash: c.Hash, Subject: c.Subject, Body: c.Body})
	}
	state.Release = !head.Dirty && branchOf(head) == svc.Release.Branch
	return err
}

// fetchHistory completes a clone that may lack the last release, as those of CI
// do: without it the version would be a wrong one.
func fetchHistory(ctx context.Context, repo *gitrepo.Repo, prefix string) error {
	shallow, err := repo.Shallow(ctx)
	if err != nil || !shallow && os.Getenv("GITLAB_CI") == "" {
		return err
	}
	remote, err := repo.RemoteTags(ctx, originRemote, prefix)
	if err != nil {
		return fmt.Errorf("find the last release of a clone that may not have it: %w; or say the version with --version", err)
	}
	var tags []string
	for _, t := range remote {
		tags = append(tags, t.Name)
	}
	last := version.Last(tags, prefix)
	if last == nil {
		return repo.Deepen(ctx, originRemote, "")
	}
	tag := prefix + last.Original()
	if _, err := repo.TagAt(ctx, tag); err == nil && !shallow {
		return nil
	}
	return repo.Deepen(ctx, originRemote, tag)
}

// branchOf returns the branch; in a GitLab job, where the head is detached, the
// one that the job is for.
func branchOf(head gitrepo.Head) string {
	if head.Branch == "" && os.Getenv("GITLAB_CI") != "" {
		return os.Getenv("CI_COMMIT_BRANCH")
	}
	return head.Branch
}

// single reports whether names of stages can do without the service's.
func (s *session) single() bool { return len(s.services) == 1 }

// selected returns the part of the plan that is asked for: the named stages of
// the services that the command is about, all of them without names.
func (s *session) selected(p *pipeline.Plan, stages []string) (*pipeline.Plan, error) {
	if len(s.asked) == len(s.services) {
		return p.Select(stages...)
	}
	if len(stages) == 0 {
		return p.Select(s.asked...)
	}
	var all []string
	for _, stage := range stages {
		if strings.Contains(stage, "/") || slices.Contains(s.asked, stage) {
			all = append(all, stage)
			continue
		}
		found := false
		for _, service := range s.asked {
			if name := service + "/" + stage; p.Node(name) != nil {
				all, found = append(all, name), true
			}
		}
		if !found {
			all = append(all, stage) // for Select to say what there is
		}
	}
	return p.Select(all...)
}
