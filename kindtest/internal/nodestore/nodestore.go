// Package nodestore brings images into nodes that are containers, as kind's
// are: from an OCI layout straight into the containerd inside.
//
// "docker save" and "kind load" would rewrite the manifests, so that a pod
// would show another digest than the one that was built and tested, and they
// would send every layer on every change. Here an archive is made of the blobs
// that a node lacks, and the image is registered under two names: the one that
// was asked for, and that name with the digest, which is what Kubernetes shows
// as a pod's imageID.
package nodestore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/selfcontained/pipeline/kindtest"
)

// Loader is a kindtest.Loader for clusters all of whose nodes were made by
// kind. The zero value is ready; it may be used concurrently.
type Loader struct{}

// ErrNotKind is returned for a cluster with nodes that kind has not made.
var ErrNotKind = errors.New("the cluster's nodes were not made by kind")

// Load implements kindtest.Loader.
func (Loader) Load(ctx context.Context, c *kindtest.Cluster, folder, digest, ref string) (kindtest.Loaded, error) {
	root, err := v1.NewHash(digest)
	if err != nil {
		return kindtest.Loaded{}, err
	}
	names, err := imageNames(ref, root)
	if err != nil {
		return kindtest.Loaded{}, err
	}
	from, err := layout.FromPath(folder)
	if err != nil {
		return kindtest.Loaded{}, fmt.Errorf("OCI layout %s: %w", folder, err)
	}
	list, err := nodes(ctx, c)
	if err != nil {
		return kindtest.Loaded{}, err
	}
	plans := make(map[string]*plan)
	for _, n := range list {
		if plans[n.platform.Architecture], err = newPlan(root, n.platform, from.Bytes); err != nil {
			return kindtest.Loaded{}, fmt.Errorf("OCI layout %s: %w", folder, err)
		}
	}
	loaded := kindtest.Loaded{Ref: ref, Digest: digest, Config: plans[list[0].platform.Architecture].config.String()}
	loaded.Sent, err = loadAll(ctx, list, from, plans, names)
	loaded.Skipped = loaded.Sent == 0
	return loaded, err
}

// Config implements kindtest.Loader.
func (Loader) Config(ctx context.Context, c *kindtest.Cluster, imageID string) (string, error) {
	root, err := v1.NewHash(kindtest.ImageDigest(imageID))
	if err != nil {
		return "", err
	}
	list, err := nodes(ctx, c)
	if err != nil {
		return "", err
	}
	p, err := newPlan(root, list[0].platform, func(h v1.Hash) ([]byte, error) { return list[0].read(ctx, h) })
	if err != nil {
		return "", err
	}
	return p.config.String(), nil
}

// nodes lists the cluster's nodes, at least one, or ErrNotKind.
func nodes(ctx context.Context, c *kindtest.Cluster) ([]*node, error) {
	list, err := c.Client().CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var out []*node
	for i := range list.Items {
		n, err := newNode(&list.Items[i])
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	if len(out) == 0 {
		return nil, errors.New("the cluster has no nodes")
	}
	return out, nil
}

func newNode(n *corev1.Node) (*node, error) {
	engine, container, ok := parseProviderID(n.Spec.ProviderID)
	if !ok {
		return nil, fmt.Errorf("node %s (provider id %q): %w", n.Name, n.Spec.ProviderID, ErrNotKind)
	}
	return &node{engine: engine, container: container, platform: v1.Platform{OS: n.Status.NodeInfo.OperatingSystem, Architecture: n.Status.NodeInfo.Architecture}}, nil
}

// imageNames returns the full names to register: by tag and by digest.
func imageNames(ref string, digest v1.Hash) ([]string, error) {
	tag, err := name.NewTag(ref)
	if err != nil {
		return nil, fmt.Errorf("image name: %w", err)
	}
	registry := tag.RegistryStr()
	if registry == name.DefaultRegistry {
		registry = "docker.io" // as containerd and the kubelet write it
	}
	repository := registry + "/" + tag.RepositoryStr()
	return []string{repository + ":" + tag.TagStr(), repository + "@" + digest.String()}, nil
}

// loadAll loads into all nodes at once and returns how many bytes were sent.
func loadAll(ctx context.Context, list []*node, from layout.Path, plans map[string]*plan, names []string) (int64, error) {
	sent, errs := make([]int64, len(list)), make([]error, len(list))
	var all sync.WaitGroup
	for i, n := range list {
		all.Go(func() { sent[i], errs[i] = n.load(ctx, from, plans[n.platform.Architecture], names) })
	}
	all.Wait()
	var total int64
	for _, s := range sent {
		total += s
	}
	return total, errors.Join(errs...)
}
