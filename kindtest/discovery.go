package kindtest

import (
	"context"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/klog/v2"
)

// quiet is ctx with a logger that drops everything: what client-go would write
// to the process's stderr behind its user's back is returned as an error too.
func quiet(ctx context.Context) context.Context { return klog.NewContext(ctx, logr.Discard()) }

// quietDiscovery is a cache of what the API server offers. Helm and the REST
// mapper call the methods without a context, which log to stderr; here they are
// those with one.
type quietDiscovery struct {
	discovery.CachedDiscoveryInterface
	cache discovery.CachedDiscoveryInterfaceWithContext
}

func newDiscovery(client discovery.DiscoveryInterface) discovery.CachedDiscoveryInterface {
	c := memory.NewMemCacheClient(client)
	return &quietDiscovery{c, discovery.ToCachedDiscoveryInterfaceWithContext(c)}
}

func (d *quietDiscovery) ctx() context.Context { return quiet(context.Background()) }

func (d *quietDiscovery) Fresh() bool { return d.cache.FreshWithContext(d.ctx()) }
func (d *quietDiscovery) Invalidate() { d.cache.InvalidateWithContext(d.ctx()) }

func (d *quietDiscovery) ServerGroups() (*metav1.APIGroupList, error) {
	return d.cache.ServerGroupsWithContext(d.ctx())
}

func (d *quietDiscovery) ServerGroupsAndResources() ([]*metav1.APIGroup, []*metav1.APIResourceList, error) {
	return d.cache.ServerGroupsAndResourcesWithContext(d.ctx())
}

func (d *quietDiscovery) ServerResourcesForGroupVersion(version string) (*metav1.APIResourceList, error) {
	return d.cache.ServerResourcesForGroupVersionWithContext(d.ctx(), version)
}

func (d *quietDiscovery) ServerPreferredResources() ([]*metav1.APIResourceList, error) {
	return d.cache.ServerPreferredResourcesWithContext(d.ctx())
}

func (d *quietDiscovery) ServerPreferredNamespacedResources() ([]*metav1.APIResourceList, error) {
	return d.cache.ServerPreferredNamespacedResourcesWithContext(d.ctx())
}
