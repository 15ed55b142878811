package kindtest

import (
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// helmGetter gives Helm the lease's cluster and nothing of the user's own
// settings: without it Helm reads $KUBECONFIG and $HELM_NAMESPACE.
type helmGetter struct{ lease *Lease }

func (g helmGetter) ToRESTConfig() (*rest.Config, error) { return g.lease.cluster.Config(), nil }

func (g helmGetter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	return g.lease.cluster.discovery, nil
}

func (g helmGetter) ToRESTMapper() (meta.RESTMapper, error) { return g.lease.cluster.mapper, nil }

func (g helmGetter) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: g.lease.cluster.Kubeconfig},
		&clientcmd.ConfigOverrides{Context: clientcmdapi.Context{Namespace: g.lease.Namespace}},
	)
}
