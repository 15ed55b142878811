package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/pipeline/gitrepo"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/changelog"
	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/registry"
	"gitlab.com/selfcontained/pipeline/release/registry/loopback"
)

// releaseTarget is where a release goes.
type releaseTarget struct {
	repo   *gitrepo.Repo
	remote string // name of the git remote, empty without one
	bundle *repository.Repository
	chart  *repository.Repository
	local  bool           // the registry is the one in the cache folder
	forge  *gitlab.Client // nil without one
	links  changelog.Forge
	signer *sign.Signer // nil without a key
	tagger release.Tagger
	close  func()
}

// originRemote is the remote that tags are pushed to.
const originRemote = "origin"

// openRepository opens the repository that the service is in, and the forge.
func (f *releaseFlags) openRepository(ctx context.Context, svc *service) (*releaseTarget, error) {
	t := &releaseTarget{close: func() {}}
	var err error
	if t.repo, err = gitrepo.Open(svc.Dir); errors.Is(err, gitrepo.ErrNoRepository) {
		return nil, &usageError{fmt.Errorf("%s is in no git repository: a release is a tag on a commit; make one with `git init` and `git commit`", relative(svc.Dir))}
	} else if err != nil {
		return nil, err
	}
	address, err := t.repo.RemoteURL(ctx, originRemote)
	if err == nil && address != "" {
		t.remote = originRemote
	}
	return t, f.openForge(t, svc, address)
}

func (f *releaseFlags) target(ctx context.Context, sess *session, svc *service) (*releaseTarget, error) {
	t, err := f.openRepository(ctx, svc)
	if err != nil {
		return nil, err
	}
	if t.signer, err = sign.FromEnvironment(os.Getenv); errors.Is(err, sign.ErrNoKey) {
		t.signer = nil
	} else if err != nil {
		return nil, &usageError{err}
	}
	if t.forge == nil || f.signTag {
		t.tagger = &release.GitTag{Repo: t.repo, Remote: t.remote, Sign: f.signTag, Message: tagMessage(f.signTag, svc.Name)}
	}
	if svc.Main == "" {
		return t, nil // a library has no bundle
	}
	return t, f.openRegistry(t, sess, svc)
}

// tagMessage annotates a tag that is signed; others are like those that GitLab
// makes.
func tagMessage(signed bool, service string) string {
	if !signed {
		return ""
	}
	return "Release of " + service
}

func (f *releaseFlags) openForge(t *releaseTarget, svc *service, remote string) error {
	kind := f.forge
	if kind == "" {
		kind = svc.Release.Forge
	}
	if kind == "" && os.Getenv("GITLAB_CI") != "" {
		kind = "gitlab"
	}
	if kind != "gitlab" {
		return nil
	}
	config, err := gitlab.FromEnvironment(os.Getenv, remote)
	if err != nil {
		return err
	}
	if t.forge, err = gitlab.New(config); err != nil {
		return err
	}
	path := os.Getenv("CI_PROJECT_PATH")
	if path == "" {
		path = config.Project
	}
	t.links, err = changelog.GitLab(config.Server, path)
	return err
}

// openRegistry opens the repositories of bundle and chart. Where none is
// configured they are in the registry in the cache folder, which is served as
// long as the release takes.
func (f *releaseFlags) openRegistry(t *releaseTarget, sess *session, svc *service) error {
	options := repository.Options{}
	ref := f.reference(svc)
	if host, _, _ := strings.Cut(ref, "/"); host != "" && host == os.Getenv("CI_REGISTRY") {
		options.Username, options.Password = os.Getenv("CI_REGISTRY_USER"), os.Getenv("CI_REGISTRY_PASSWORD")
	}
	if ref == "" {
		address, err := t.serveRegistry(filepath.Join(sess.cache, "registry"))
		if err != nil {
			return err
		}
		ref, t.local = address+"/"+svc.Name, true
	}
	var err error
	if t.bundle, err = repository.Open(ref, options); err != nil {
		return &usageError{err}
	}
	if svc.Chart != "" {
		t.chart, err = registry.ChartRepository(t.bundle, svc.Name)
	}
	return err
}

// reference is the repository of the service's bundle: the configured one or,
// in a GitLab job, that of the project. "" is none.
func (f *releaseFlags) reference(svc *service) string {
	ref := cmp.Or(f.registry, svc.Release.Registry)
	if ref == "" && os.Getenv("GITLAB_CI") != "" && os.Getenv("CI_REGISTRY_IMAGE") != "" {
		ref = os.Getenv("CI_REGISTRY_IMAGE")
		if gitrepo.Root(svc.Dir) != svc.Dir {
			ref += "/" // one of several services
		}
	}
	if strings.HasSuffix(ref, "/") {
		ref += svc.Name
	}
	return ref
}

// checkRegistries refuses one repository for several services.
func (f *releaseFlags) checkRegistries(sess *session) error {
	seen := map[string]string{}
	for _, svc := range sess.services {
		ref := f.reference(svc)
		if ref == "" || !sess.isAsked(svc) || svc.Main == "" {
			continue
		}
		if other := seen[ref]; other != "" {
			return &usageError{fmt.Errorf("%s and %s would be released to one repository, %s; end it with a slash, and their names are added", other, svc.Name, ref)}
		}
		seen[ref] = svc.Name
	}
	return nil
}

// serveRegistry serves the registry in dir until the target is closed, unless
// another process does, and returns its address.
func (t *releaseTarget) serveRegistry(dir string) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	r, err := loopback.Open(dir, l.Addr().String())
	var used *loopback.InUse
	if errors.As(err, &used) {
		l.Close()
		return used.Address, nil
	}
	if err != nil {
		l.Close()
		return "", err
	}
	ctx, stop := context.WithCancel(context.Background()) // it outlives a cancelled release's last words
	done := make(chan error, 1)
	go func() { done <- r.Serve(ctx, l) }()
	t.close = func() {
		stop()
		<-done
		r.Close()
	}
	return l.Addr().String(), nil
}
