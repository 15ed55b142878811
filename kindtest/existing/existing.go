// Package existing provides a cluster that somebody else made and keeps.
//
// Only the context that is named is used, through a private copy of it, so that
// a change of the user's current context during a run has no effect. The cluster
// is never created, changed or deleted; tests live in leased namespaces. Images
// reach it through a registry that its nodes can pull from, unless the nodes
// are kind's and can be given images directly.
package existing

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/kindtest/internal/nodestore"
)

// Options name a cluster.
type Options struct {
	// Kubeconfig is a path, or several as in $KUBECONFIG, which is used if
	// this is empty, and then ~/.kube/config.
	Kubeconfig string
	// Context must be set when the kubeconfig has several.
	Context string
	// Registry is where images go for the nodes to pull, for example
	// "registry.example.com/team/ci". Not needed for clusters made by kind.
	Registry string
	// CacheDir is where the private kubeconfig is kept, below "kube";
	// $XDG_CACHE_HOME/pipeline if empty.
	CacheDir string
	// Keychain authenticates to the registry; docker's configuration if nil.
	Keychain authn.Keychain
}

// readyTimeout bounds the wait for a cluster that is there already.
const readyTimeout = 30 * time.Second

// Provider is a kindtest.Provider.
type Provider struct{ options Options }

var _ kindtest.Provider = (*Provider)(nil)

// New applies defaults and does nothing else.
func New(o Options) (*Provider, error) {
	if o.Kubeconfig == "" {
		o.Kubeconfig = os.Getenv("KUBECONFIG")
	}
	if home, err := os.UserHomeDir(); o.Kubeconfig == "" && err == nil {
		o.Kubeconfig = filepath.Join(home, ".kube", "config")
	}
	if o.CacheDir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, err
		}
		o.CacheDir = filepath.Join(cache, "pipeline")
	}
	if o.Keychain == nil {
		o.Keychain = authn.DefaultKeychain
	}
	return &Provider{o}, nil
}

// Name implements kindtest.Provider.
func (p *Provider) Name() string {
	if p.options.Context == "" {
		return "existing"
	}
	return "existing-" + p.options.Context
}

// Attach implements kindtest.Provider: the cluster is there or it is not.
func (p *Provider) Attach(ctx context.Context) (*kindtest.Cluster, error) { return p.Ensure(ctx) }

// Check implements kindtest.Provider: the kubeconfig can be read and has the
// context.
func (p *Provider) Check(context.Context) error {
	_, err := kindtest.ReduceKubeconfig(p.options.Kubeconfig, p.options.Context)
	return err
}

// Ensure implements kindtest.Provider.
func (p *Provider) Ensure(ctx context.Context) (*kindtest.Cluster, error) {
	reduced, err := kindtest.ReduceKubeconfig(p.options.Kubeconfig, p.options.Context)
	if err != nil {
		return nil, err
	}
	file := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\: `, r) {
			return '-'
		}
		return r
	}, p.Name())
	// One file for each content: another process may use another kubeconfig.
	path := filepath.Join(p.options.CacheDir, "kube", fmt.Sprintf("%s.%.6x.kubeconfig", file, sha256.Sum256(reduced)))
	if err := kindtest.WritePrivate(path, reduced); err != nil {
		return nil, err
	}
	ready, cancel := context.WithTimeoutCause(ctx, readyTimeout, fmt.Errorf("gave up after %s", readyTimeout))
	defer cancel()
	c, err := kindtest.Open(ready, p.Name(), path, loader{p})
	if err != nil {
		return nil, err
	}
	if err := c.CheckAPI(ready); err != nil {
		return nil, &kindtest.EnvironmentError{What: err.Error(), Remedy: "wait until it is, or ask whoever keeps it"}
	}
	return c, nil
}

// Delete refuses.
func (p *Provider) Delete(context.Context) error {
	return &kindtest.EnvironmentError{What: "cluster " + p.Name() + " was not made by pipeline and is not deleted", Remedy: "to remove what tests have left in it: pipeline cluster sweep"}
}

// ExportLogs writes where the logs are: a cluster's own are for whoever keeps
// it, and a lease's are collected by Lease.Collect.
func (p *Provider) ExportLogs(_ context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "cluster.txt"), []byte("cluster "+p.Name()+" is kept by others; the logs of its nodes are theirs\n"), 0o644)
}

// loader is a kindtest.Loader.
type loader struct{ provider *Provider }

// Load implements kindtest.Loader.
func (l loader) Load(ctx context.Context, c *kindtest.Cluster, folder, digest, ref string) (kindtest.Loaded, error) {
	loaded, err := nodestore.Loader{}.Load(ctx, c, folder, digest, ref)
	// Who may not look at nodes keeps to the registry, if there is one.
	if !errors.Is(err, nodestore.ErrNotKind) && (!apierrors.IsForbidden(err) || l.provider.options.Registry == "") {
		return loaded, err
	}
	if l.provider.options.Registry == "" {
		return kindtest.Loaded{}, &kindtest.EnvironmentError{
			What:   "the cluster's nodes need a registry to pull images from and none is set",
			Remedy: "set integration.cluster.registry to one that this machine can push to and the nodes can pull from",
		}
	}
	return l.push(ctx, folder, digest, ref)
}

// Config implements kindtest.Loader. Pods of other clusters are started by
// digest, so there is nothing to look up.
func (l loader) Config(ctx context.Context, c *kindtest.Cluster, imageID string) (string, error) {
	config, err := nodestore.Loader{}.Config(ctx, c, imageID)
	if errors.Is(err, nodestore.ErrNotKind) || apierrors.IsForbidden(err) {
		return "", nil
	}
	return config, err
}

// push copies the image or index as it is and returns the reference by digest.
func (l loader) push(ctx context.Context, folder, digest, ref string) (kindtest.Loaded, error) {
	target, err := l.target(digest, ref)
	if err != nil {
		return kindtest.Loaded{}, err
	}
	loaded := kindtest.Loaded{Ref: target.String(), Digest: digest}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(l.provider.options.Keychain)}
	if _, err := remote.Head(target, options...); err == nil {
		loaded.Skipped = true
		return loaded, nil
	}
	if err := write(target, folder, digest, options); err != nil {
		return kindtest.Loaded{}, &kindtest.EnvironmentError{What: "image cannot be pushed to " + target.String(), Err: err, Remedy: "check integration.cluster.registry and the login to it"}
	}
	return loaded, nil
}

// target is the last part of ref's repository below the registry.
func (l loader) target(digest, ref string) (name.Digest, error) {
	tag, err := name.NewTag(ref)
	if err != nil {
		return name.Digest{}, err
	}
	repository := tag.RepositoryStr()
	repository = repository[strings.LastIndexByte(repository, '/')+1:]
	target, err := name.NewDigest(strings.TrimSuffix(l.provider.options.Registry, "/") + "/" + repository + "@" + digest)
	if err != nil {
		return name.Digest{}, fmt.Errorf("integration.cluster.registry %q: %w", l.provider.options.Registry, err)
	}
	return target, nil
}

func write(target name.Digest, folder, digest string, options []remote.Option) error {
	hash, err := v1.NewHash(digest)
	if err != nil {
		return err
	}
	root, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		return err
	}
	if index, err := root.ImageIndex(hash); err == nil {
		return remote.WriteIndex(target, index, options...)
	}
	image, err := root.Image(hash)
	if err != nil {
		return err
	}
	return remote.Write(target, image, options...)
}
