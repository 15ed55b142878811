// Package repository is one repository of a container registry, as those see it
// who attach evidence to a bundle or release one.
//
// Everything that changes the registry looks first whether the effect is there
// already, and tells a Journal before and after what it does. What a registry
// says is not believed: manifests and blobs are read up to a limit and checked
// against their digests. Plain HTTP is spoken to loopback only: what a library
// takes for a private network is not a reason to send a password in the clear.
package repository

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Options tell how a registry is reached.
type Options struct {
	// Username and Password are used for the registry of the repository; in
	// GitLab CI those of CI_REGISTRY_USER and CI_REGISTRY_PASSWORD. Without
	// them the configuration of `docker login` and its helpers are.
	Username, Password string
	// Transport replaces one like http.DefaultTransport, which all share.
	Transport http.RoundTripper
	// Journal is told each effect; nil is nobody.
	Journal Journal
	// Jobs bounds parallel transfers; default 4.
	Jobs int
}

// Repository is a repository in a registry. Safe for concurrent use.
type Repository struct {
	repo    name.Repository
	options Options
	auth    authn.Authenticator
	plain   http.RoundTripper
	puller  *remote.Puller
	pusher  *remote.Pusher

	mu      sync.Mutex
	clients map[string]*http.Client // by scope
	journal *sync.Mutex             // shared with the siblings
}

// Open names a repository: "registry.example.com/team/stock". The registry
// must be named. Nothing is sent.
func Open(ref string, o Options) (*Repository, error) {
	repo, err := name.NewRepository(ref, name.WithDefaultRegistry(""))
	switch {
	case strings.Contains(ref, "://"):
		err = errors.New("it has a scheme")
	case err == nil && repo.RegistryStr() == "":
		err = errors.New("it names no registry")
	}
	if err != nil {
		return nil, fmt.Errorf("registry %q: %w; expected HOST/PATH, as registry.example.com/team/stock", ref, err)
	}
	if o.Jobs <= 0 {
		o.Jobs = 4
	}
	return reach(repo, o, &sync.Mutex{})
}

// sharedTransport is http.DefaultTransport for this package alone: whoever closes
// the idle connections of that one would end a request here that just took one.
var sharedTransport = sync.OnceValue(func() http.RoundTripper {
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		return t.Clone()
	}
	return http.DefaultTransport
})

// reach makes a repository whose journal calls exclude those with the same lock.
func reach(repo name.Repository, o Options, journal *sync.Mutex) (*Repository, error) {
	r := &Repository{repo: repo, options: o, clients: map[string]*http.Client{}, journal: journal}
	base := o.Transport
	if base == nil {
		base = sharedTransport()
	}
	r.plain = loopbackOnly{base}
	var err error
	if r.auth, err = authenticator(repo, o); err != nil {
		return nil, fmt.Errorf("credentials for %s: %w; check the docker configuration", repo.RegistryStr(), err)
	}
	options := []remote.Option{remote.WithAuth(r.auth), remote.WithTransport(r.plain), remote.WithJobs(o.Jobs)}
	if r.puller, err = remote.NewPuller(options...); err != nil {
		return nil, err
	}
	r.pusher, err = remote.NewPusher(options...)
	return r, err
}

func authenticator(repo name.Repository, o Options) (authn.Authenticator, error) {
	if o.Username != "" || o.Password != "" {
		return &authn.Basic{Username: o.Username, Password: o.Password}, nil
	}
	return authn.DefaultKeychain.Resolve(repo)
}

// Sibling returns the repository at a path below this one, reached in the same
// way: "charts/stock".
func (r *Repository) Sibling(path string) (*Repository, error) {
	repo, err := name.NewRepository(r.repo.Name() + "/" + path)
	if err != nil {
		return nil, err
	}
	return reach(repo, r.options, r.journal)
}

// String returns the repository as Open takes it.
func (r *Repository) String() string { return r.repo.Name() }

// Registry returns the host, with the port if it has one.
func (r *Repository) Registry() string { return r.repo.RegistryStr() }

// Jobs is how many transfers may run at once.
func (r *Repository) Jobs() int { return r.options.Jobs }

// reference returns a tag or a digest of the repository.
func (r *Repository) reference(tagOrDigest string) (name.Reference, error) {
	if _, err := v1.NewHash(tagOrDigest); err == nil {
		return r.repo.Digest(tagOrDigest), nil
	}
	return name.NewTag(r.repo.Name()+":"+tagOrDigest, name.StrictValidation)
}

// client returns an HTTP client with the credentials for a scope.
func (r *Repository) client(ctx context.Context, scope string) (*http.Client, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.clients[scope]; c != nil {
		return c, nil
	}
	t, err := transport.NewWithContext(ctx, r.repo.Registry, r.auth, r.plain, []string{r.repo.Scope(scope)})
	if err != nil {
		return nil, r.failed("reach the registry of", scope, err)
	}
	c := &http.Client{Transport: t}
	r.clients[scope] = c
	return c, nil
}

// url is an address below the repository. The client of the library changes
// the scheme to the one by which it reached the registry.
func (r *Repository) url(path string) string {
	return r.repo.Scheme() + "://" + r.repo.RegistryStr() + "/v2/" + r.repo.RepositoryStr() + path
}
