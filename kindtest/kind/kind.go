// Package kind provides clusters made by kind (https://kind.sigs.k8s.io): a
// Kubernetes whose nodes are containers of docker, podman or nerdctl.
//
// kind's own notion of readiness is not used. Its wait ends before cluster DNS
// and the service proxy work, and it returns success when the time is up (issue
// 2654 of kubernetes-sigs/kind). A cluster is reused as long as it lives: a file
// beside its kubeconfig says whether it was completed and from which node image,
// so that the usual case needs no engine, and one that was left half-made is
// recognised and made again. A lock makes processes wait for one another.
//
// The user's kubeconfig and $KUBECONFIG are neither read nor written.
package kind

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/kindtest/internal/nodestore"
	"gitlab.com/selfcontained/pipeline/kindtest/nodeimage"
)

// DefaultCluster is the cluster's name if Options has none.
const DefaultCluster = "pipeline"

// Options configure a cluster. The zero value is usable.
type Options struct {
	// Cluster is kind's name for it; DefaultCluster if empty.
	Cluster string
	// Image is the node image. Empty accepts whatever an existing cluster was
	// made of, and makes a new one of the image that kind names.
	Image string
	// PickImage, if set, chooses the image and the patches of a new cluster when
	// Image is empty. It is called with the name of the engine.
	PickImage func(ctx context.Context, engine string) (image string, patches []string, err error)
	// Recreate replaces a cluster that was made of another image. All leases
	// on it are lost. Without it such a cluster is an *EnvironmentError.
	Recreate bool
	// Engine is "docker", "podman" or "nerdctl"; empty means the first of
	// them that answers.
	Engine string
	// CacheDir is where kubeconfig, state and lock are kept, below "kube";
	// $XDG_CACHE_HOME/pipeline if empty.
	CacheDir string
	// Patches are kubeadm configuration patches as kind takes them
	// (kubeadmConfigPatches); nodeimage.ConfigPatches if nil.
	Patches []string
	// Log receives progress in lines; may be nil.
	Log io.Writer
	// ReadyTimeout bounds the wait for a new or restarted cluster's parts;
	// 3 minutes if zero.
	ReadyTimeout time.Duration
}

// Provider is a kindtest.Provider.
type Provider struct {
	options Options
	files   files
	log     *logger
}

var _ kindtest.Provider = (*Provider)(nil)

// New checks the options and does nothing else.
func New(o Options) (*Provider, error) {
	if o.Cluster == "" {
		o.Cluster = DefaultCluster
	}
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*$`).MatchString(o.Cluster) {
		return nil, fmt.Errorf("cluster name %q: it may contain a-z, 0-9, '-' and '.', and begins with a letter or digit", o.Cluster)
	}
	if o.CacheDir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, err
		}
		o.CacheDir = filepath.Join(cache, "pipeline")
	}
	if o.Patches == nil {
		o.Patches = nodeimage.ConfigPatches(false)
	}
	if o.ReadyTimeout == 0 {
		o.ReadyTimeout = 3 * time.Minute
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	return &Provider{options: o, files: newFiles(o.CacheDir, o.Cluster), log: newLogger(o.Cluster, o.Log)}, nil
}

// Name implements kindtest.Provider.
func (p *Provider) Name() string { return "kind-" + p.options.Cluster }

// Ensure implements kindtest.Provider. Reusing a cluster takes a few dozen
// milliseconds; creating one takes as long as it takes, until ctx ends, and then
// nothing is left of it.
func (p *Provider) Ensure(ctx context.Context) (*kindtest.Cluster, error) {
	c, err := p.attach(ctx)
	if c != nil || err != nil {
		return c, err
	}
	unlock, err := p.lock(ctx, "making cluster "+p.options.Cluster)
	if err != nil {
		return nil, err
	}
	defer unlock()
	// Whoever held the lock has probably made it.
	c, err = p.attach(ctx)
	if c != nil || err != nil {
		return c, err
	}
	e, err := p.engine(ctx)
	if err != nil {
		return nil, err
	}
	return p.establish(ctx, e)
}

// Attach implements kindtest.Provider.
func (p *Provider) Attach(ctx context.Context) (*kindtest.Cluster, error) { return p.attach(ctx) }

// Check implements kindtest.Provider: the cluster is there, or an engine that
// could make it answers.
func (p *Provider) Check(ctx context.Context) error {
	c, err := p.attach(ctx)
	if c != nil || err != nil {
		return err
	}
	_, err = p.engine(ctx)
	return err
}

// attach returns the cluster if the files say that it is complete and it is
// ready, nil if somebody has to look closer.
func (p *Provider) attach(ctx context.Context) (*kindtest.Cluster, error) {
	s := p.files.state()
	if s.Phase != phaseReady {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	c, err := p.open(ctx)
	if err != nil || c.CheckSystem(ctx) != nil {
		return nil, nil //nolint:nilerr // it may be stopped, or gone
	}
	if p.otherImage(s.Image) {
		if p.options.Recreate {
			return nil, nil
		}
		return nil, p.imageError(s.Image)
	}
	return c, nil
}

func (p *Provider) open(ctx context.Context) (*kindtest.Cluster, error) {
	return kindtest.Open(ctx, p.Name(), p.files.kubeconfig, nodestore.Loader{})
}

// establish makes the cluster usable, by whatever that takes. The lock is held.
func (p *Provider) establish(ctx context.Context, e *engine) (*kindtest.Cluster, error) {
	nodes, err := e.nodes(ctx, p.options.Cluster)
	if err != nil {
		return nil, err
	}
	s := p.files.state()
	switch {
	case len(nodes) == 0:
		return p.create(ctx, e)
	case s.Phase == phaseCreating:
		return p.recreate(ctx, e, "its creation was not finished")
	case p.otherImage(nodes[0].Image) && p.options.Recreate:
		return p.recreate(ctx, e, "it was made of node image "+nodes[0].Image)
	case p.otherImage(nodes[0].Image):
		return nil, p.imageError(nodes[0].Image)
	}
	c, err := p.revive(ctx, e, nodes)
	switch {
	case err == nil:
		return c, nil
	case ctx.Err() != nil:
		return nil, err
	case s.Phase == "":
		// Perhaps somebody else's, who wants to look at it.
		return nil, &kindtest.EnvironmentError{
			What: fmt.Sprintf("kind cluster %s is there and does not work, and it is not known who made it", p.options.Cluster), Err: err,
			Remedy: "delete it (kind delete cluster --name " + p.options.Cluster + ") or choose another name",
		}
	}
	return p.recreate(ctx, e, err.Error())
}

// reviveTimeout bounds the wait for nodes that were started again. It takes some
// seconds or never comes to an end: not when the node got another address than
// its certificates have. Making a new cluster is then faster than hoping.
const reviveTimeout = time.Minute

// revive starts stopped nodes and takes the cluster over when it is ready.
func (p *Provider) revive(ctx context.Context, e *engine, nodes []nodeContainer) (*kindtest.Cluster, error) {
	for _, n := range nodes {
		if n.State == "running" {
			continue
		}
		begin := time.Now()
		if err := e.start(ctx, n.Name); err != nil {
			return nil, err
		}
		p.log.finished("node "+n.Name+", which was "+n.State+", started again", time.Since(begin))
	}
	nodes, err := e.nodes(ctx, p.options.Cluster) // for when they were started
	if err != nil {
		return nil, err
	}
	kubeconfig, err := e.provider(p.log).KubeConfig(p.options.Cluster, false)
	if err != nil {
		return nil, fmt.Errorf("read its kubeconfig: %w", err)
	}
	if len(nodes) == 0 {
		return nil, errors.New("its nodes have just been deleted by someone else")
	}
	return p.finish(ctx, e, []byte(kubeconfig), nodes[0].Image, lastStart(nodes))
}

// finish waits for the cluster, whose nodes were started at the given time (zero
// for a new one), and then records that it is complete.
func (p *Provider) finish(ctx context.Context, e *engine, kubeconfig []byte, image string, started time.Time) (*kindtest.Cluster, error) {
	kubeconfig, err := e.reachable(kubeconfig)
	if err != nil {
		return nil, err
	}
	if err := kindtest.WritePrivate(p.files.kubeconfig, kubeconfig); err != nil {
		return nil, err
	}
	begin := time.Now()
	limit := p.options.ReadyTimeout
	if !started.IsZero() {
		limit = min(limit, reviveTimeout)
	}
	ready, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("gave up after %s", limit))
	defer cancel()
	c, err := p.awaitOpen(ready)
	if err != nil {
		return nil, err
	}
	if err := c.WaitSystemSince(ready, started); err != nil {
		return nil, err
	}
	p.log.finished("cluster DNS and service proxy ready", time.Since(begin))
	return c, p.files.write(state{Phase: phaseReady, Image: image, Engine: e.name, Created: time.Now().UTC()})
}

// awaitOpen tries until the API server answers; after a restart of the node
// that takes some seconds.
func (p *Provider) awaitOpen(ctx context.Context) (*kindtest.Cluster, error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := p.open(ctx)
		if err == nil {
			return c, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), err)
		}
	}
}

// Delete implements kindtest.Provider.
func (p *Provider) Delete(ctx context.Context) error {
	e, err := p.engine(ctx)
	if err != nil {
		return err
	}
	unlock, err := p.lock(ctx, "deleting cluster "+p.options.Cluster)
	if err != nil {
		return err
	}
	defer unlock()
	return p.remove(ctx, e)
}

// remove deletes containers and files. The lock is held.
func (p *Provider) remove(ctx context.Context, e *engine) error {
	deleted := make(chan error, 1)
	go func() { deleted <- e.provider(p.log).Delete(p.options.Cluster, p.files.scratch) }()
	select {
	case err := <-deleted:
		if err != nil {
			return &kindtest.EnvironmentError{What: "cluster " + p.options.Cluster + " cannot be deleted", Err: err, Remedy: "try: " + e.name + " rm -f " + p.options.Cluster + "-control-plane"}
		}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return p.files.remove()
}

// ExportLogs implements kindtest.Provider: the nodes' logs as "kind export
// logs" collects them. It collects what it can; an error may mean no more than
// that a node image lacks one of the tools that kind asks, such as crictl.
func (p *Provider) ExportLogs(ctx context.Context, dir string) error {
	e, err := p.engine(ctx)
	if err != nil {
		return err
	}
	collected := make(chan error, 1)
	go func() { collected <- e.provider(p.log).CollectLogs(p.options.Cluster, dir) }()
	select {
	case err := <-collected:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *Provider) otherImage(image string) bool {
	return p.options.Image != "" && image != "" && image != p.options.Image
}

func (p *Provider) imageError(image string) error {
	return &kindtest.EnvironmentError{
		What:   fmt.Sprintf("cluster %s was made of node image %s, not %s", p.options.Cluster, image, p.options.Image),
		Remedy: "delete it when nobody uses it (pipeline cluster down), or choose another cluster name",
	}
}
