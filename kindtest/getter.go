package kindtest

import (
	"net/http"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// helmGetter gives Helm the lease's cluster and nothing of the user's own
// settings: without it Helm reads $KUBECONFIG and $HELM_NAMESPACE.
type helmGetter struct {
	lease *Lease
	// keeps says that what is known of the cluster's kinds may be believed: the
	// chart brings none of its own.
	keeps bool
}

func (g helmGetter) ToRESTConfig() (*rest.Config, error) {
	config := g.lease.cluster.Config()
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return strictFields{next} })
	return config, nil
}

// strictFields asks the API server to refuse fields that it does not know.
// Helm leaves this to its client-side validation, which reads the cluster's
// whole OpenAPI document to find out that the server could do it, and then
// does not ask it to.
type strictFields struct{ next http.RoundTripper }

func (s strictFields) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodPost || req.Method == http.MethodPut || req.Method == http.MethodPatch {
		req = req.Clone(req.Context())
		query := req.URL.Query()
		query.Set("fieldValidation", metav1.FieldValidationStrict)
		req.URL.RawQuery = query.Encode()
	}
	return s.next.RoundTrip(req)
}

func (g helmGetter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	if g.keeps {
		return keptDiscovery{g.lease.cluster.discovery}, nil
	}
	return g.lease.cluster.discovery, nil
}

// keptDiscovery is not read again for each chart, as Helm would have it.
type keptDiscovery struct {
	discovery.CachedDiscoveryInterface
}

// Invalidate does nothing.
func (keptDiscovery) Invalidate() {}

func (g helmGetter) ToRESTMapper() (meta.RESTMapper, error) { return g.lease.cluster.mapper, nil }

func (g helmGetter) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: g.lease.cluster.Kubeconfig},
		&clientcmd.ConfigOverrides{Context: clientcmdapi.Context{Namespace: g.lease.Namespace}},
	)
}
