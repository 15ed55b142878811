package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/pipeline/gitrepo"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/stages/system"
)

// systemSession is what a command knows of the system that it works on.
type systemSession struct {
	*config.System
	cache string
	store *evidence.Store
	// repo is the system's git repository, nil outside of one; remote is the name
	// of its remote, empty without one.
	repo   *gitrepo.Repo
	remote string
	// lock is the one in the folder, nil when there is none yet.
	lock *scs.Lock
	// signer is nil without a signing key.
	signer *sign.Signer
	// unread is what refers to bundles and could not be read.
	unread []string
}

func openSystem(ctx context.Context, f *systemFlags) (*systemSession, error) {
	s, err := openWithoutLock(ctx, f)
	if err != nil {
		return nil, err
	}
	s.lock, err = s.readLock()
	return s, err
}

// openWithoutLock is for commands that have something to say of a lock that
// cannot be read.
func openWithoutLock(ctx context.Context, f *systemFlags) (*systemSession, error) {
	system, err := config.LoadSystem(f.dir)
	var none *config.NoSystem
	if errors.As(err, &none) {
		return nil, &usageError{err}
	}
	if err != nil {
		return nil, err
	}
	s := &systemSession{System: system}
	if s.cache, err = cacheDir(); err != nil {
		return nil, err
	}
	s.store = evidence.Open(s.cache)
	if s.signer, err = sign.FromEnvironment(os.Getenv); errors.Is(err, sign.ErrNoKey) {
		s.signer = nil
	} else if err != nil {
		return nil, &usageError{err}
	}
	return s, s.openRepository(ctx)
}

func (s *systemSession) openRepository(ctx context.Context) error {
	repo, err := gitrepo.Open(s.Dir)
	if errors.Is(err, gitrepo.ErrNoRepository) {
		return nil
	}
	if err != nil {
		return err
	}
	s.repo = repo
	if address, err := repo.RemoteURL(ctx, originRemote); err == nil && address != "" {
		s.remote = originRemote
	}
	return nil
}

// lockPath is the path of the lock.
func (s *systemSession) lockPath() string { return filepath.Join(s.Dir, scs.LockName) }

// readLock reads the lock; nil when there is none. A lock of another system is
// an error.
func (s *systemSession) readLock() (*scs.Lock, error) {
	data, err := os.ReadFile(s.lockPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the lock: %w", err)
	}
	l, err := scs.ParseLock(relative(s.lockPath()), data)
	if err != nil {
		return nil, &usageError{err}
	}
	if l.System != s.Name {
		return nil, &usageError{fmt.Errorf("%s: it is the lock of the system %s, but %s says %s", relative(s.lockPath()), l.System, relative(s.File), s.Name)}
	}
	return l, nil
}

// needLock returns the lock, or says how to get one.
func (s *systemSession) needLock() (*scs.Lock, error) {
	if s.lock == nil {
		return nil, &usageError{fmt.Errorf("%s: there is no %s yet; `pipeline scs update` tests the newest versions and writes it", relative(s.Dir), scs.LockName)}
	}
	return s.lock, nil
}

// inRepository is the path of a file of the system's folder from the top of its
// repository, with slashes.
func (s *systemSession) inRepository(file string) (string, error) {
	rel, err := filepath.Rel(s.repo.Root, filepath.Join(s.Dir, file))
	return filepath.ToSlash(rel), err
}

// testsDigest returns the digest of the acceptance tests.
func (s *systemSession) testsDigest(ctx context.Context, sources *source.Folder) (evidence.Digest, error) {
	if !exists(sources.Dir) {
		return "", &usageError{fmt.Errorf("%s: there are no acceptance tests; write them there, or say where they are with `suite` in %s", relative(sources.Dir), relative(s.File))}
	}
	digest, err := system.SuiteDigest(ctx, sources)
	if err != nil {
		return "", fmt.Errorf("read the acceptance tests: %w", err)
	}
	return digest, nil
}

// readValues returns the values of the services' charts, and their digest; ""
// when there are none.
func (s *systemSession) readValues() (map[string]map[string]any, evidence.Digest, error) {
	if s.Values == "" {
		return nil, "", nil
	}
	file := filepath.Join(s.Dir, s.Values)
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, "", fmt.Errorf("read the values: %w", err)
	}
	values, err := config.ParseValues(file, data, s.services())
	return values, evidence.Sum(data), err
}

// services are the names of the services, in the order of the file.
func (s *systemSession) services() []string {
	var names []string
	for _, svc := range s.Services {
		names = append(names, svc.Name)
	}
	return names
}

// sourceOf opens the repository that a service is released to.
func (s *systemSession) sourceOf(service string) (*repository.Repository, error) {
	for _, svc := range s.Services {
		if svc.Name == service {
			return openSource(s.cache, svc.Source)
		}
	}
	return nil, &usageError{fmt.Errorf("no service %q in %s; there are %s", service, relative(s.File), strings.Join(s.services(), ", "))}
}

// own opens the system's own repository; nil when it has none.
func (s *systemSession) own() (*repository.Repository, error) {
	if s.Registry == "" {
		return nil, nil
	}
	return openRepositoryAt(s.Registry)
}

// environment returns an environment by its name, nil when there is none.
func (s *systemSession) environment(name string) *config.Environment {
	for i := range s.Environments {
		if s.Environments[i].Name == name {
			return &s.Environments[i]
		}
	}
	return nil
}

// environments lists the names.
func (s *systemSession) environments() string {
	var names []string
	for _, e := range s.Environments {
		names = append(names, e.Name)
	}
	if len(names) == 0 {
		return "none: add them to " + relative(s.File)
	}
	return strings.Join(names, ", ")
}
