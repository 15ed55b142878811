package kindtest

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
)

// The client-side rate limit of client-go (5 requests a second) is made for
// controllers. A test that installs a chart would wait seconds for nothing.
const (
	clientQPS   = 500
	clientBurst = 1000
)

// Cluster is a Kubernetes cluster one may use. It is immutable and may be used
// concurrently.
type Cluster struct {
	// Name is the provider's name for it.
	Name string
	// Kubeconfig is the path of a private copy (mode 0600) with one context.
	Kubeconfig string
	// Version is the server's version, for example "v1.36.3".
	Version string

	config    *rest.Config
	client    kubernetes.Interface
	dynamic   dynamic.Interface
	discovery discovery.CachedDiscoveryInterface
	mapper    meta.ResettableRESTMapper
	loader    Loader
}

// Open connects to the cluster that the kubeconfig names and asks it for its
// version. It does not check more; see WaitSystem.
func Open(ctx context.Context, name, kubeconfig string, loader Loader) (*Cluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, kubeconfigError(kubeconfig, err)
	}
	config.QPS, config.Burst = clientQPS, clientBurst
	config.WarningHandlerWithContext = rest.NoWarnings{}
	config.UserAgent = "pipeline"
	c := &Cluster{Name: name, Kubeconfig: kubeconfig, config: config, loader: loader}
	if err := c.connect(ctx); err != nil {
		return nil, &EnvironmentError{What: "cluster " + name + " does not answer", Err: err, Remedy: "check that it runs and that its address can be reached from here"}
	}
	return c, nil
}

func (c *Cluster) connect(ctx context.Context) error {
	// One HTTP client for all, so that there is one connection.
	http, err := rest.HTTPClientFor(c.config)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfigAndClient(c.config, http)
	if err != nil {
		return err
	}
	c.client = client
	if c.dynamic, err = dynamic.NewForConfigAndClient(c.config, http); err != nil {
		return err
	}
	c.discovery = newDiscovery(client.Discovery())
	c.mapper = restmapper.NewDeferredDiscoveryRESTMapper(c.discovery)
	version, err := client.DiscoveryClient.ServerVersionWithContext(ctx)
	if err != nil {
		return err
	}
	c.Version = version.GitVersion
	return nil
}

// Config returns a copy of the client configuration. It contains credentials.
func (c *Cluster) Config() *rest.Config { return rest.CopyConfig(c.config) }

// Client returns the typed client.
func (c *Cluster) Client() kubernetes.Interface { return c.client }

// Load makes the image or index with the given digest, taken from the OCI image
// layout in the folder layout, runnable in the cluster under the name ref
// ("host/repository:tag", or a short name as docker understands it). What the
// nodes have already is not sent again, and an image that is there under this
// name and digest is not touched at all.
func (c *Cluster) Load(ctx context.Context, layout, digest, ref string) (Loaded, error) {
	loaded, err := c.loader.Load(ctx, c, layout, digest, ref)
	if err != nil {
		return Loaded{}, c.apiError(fmt.Sprintf("load image %s (%s)", ref, digest), err)
	}
	return loaded, nil
}

// Runs reports whether imageID, as shown in a pod's status, is the loaded
// image. Usually the two digests are equal. When two indexes hold the same
// image (because only something beside the image changed), a node shows one of
// both for either, and only the digest of the image's configuration decides.
func (c *Cluster) Runs(ctx context.Context, imageID string, loaded Loaded) (bool, error) {
	if digest := ImageDigest(imageID); digest == loaded.Digest || digest == loaded.Config {
		return true, nil
	}
	config, err := c.loader.Config(ctx, c, imageID)
	if err != nil {
		return false, fmt.Errorf("look up image %s in cluster %s: %w", imageID, c.Name, err)
	}
	return config != "" && config == loaded.Config, nil
}
