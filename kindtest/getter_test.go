package kindtest

import (
	"testing"

	"k8s.io/client-go/discovery"
)

// counted counts how often it was to be read again.
type counted struct {
	discovery.CachedDiscoveryInterface
	invalidated int
}

func (c *counted) Invalidate() { c.invalidated++ }

func TestOnlyChartsWithKindsOfTheirOwnMakeTheClusterBeReadAgain(t *testing.T) {
	t.Parallel()
	for keeps, want := range map[bool]int{true: 0, false: 1} {
		known := &counted{}
		lease := &Lease{cluster: &Cluster{discovery: known}}
		client, err := helmGetter{lease: lease, keeps: keeps}.ToDiscoveryClient()
		if err != nil {
			t.Fatal(err)
		}
		client.Invalidate()
		if known.invalidated != want {
			t.Errorf("keeps %v: read again %d times, want %d", keeps, known.invalidated, want)
		}
	}
}
