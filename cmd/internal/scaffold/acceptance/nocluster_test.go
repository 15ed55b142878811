//go:build !cluster

package acceptance

// inCluster returns no stages: without the build tag no test needs a cluster.
func inCluster() []string { return nil }
