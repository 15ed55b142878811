package nodeimage

import "strings"

// minor returns the second number of a version such as v1.36.3.
func minor(version string) string {
	_, rest, _ := strings.Cut(version, ".")
	m, _, _ := strings.Cut(rest, ".")
	return m
}

// ConfigPatches returns kubeadm configuration patches, for
// kubeadmConfigPatches of a kind cluster, that make a short-lived test cluster
// start and settle faster, and keep it from growing. They work with any node
// image from Kubernetes 1.31 on; own says that the node runs the image of this
// package, which has a patch for CoreDNS besides and takes the newer settings
// for granted.
//
// Such a cluster does not survive a power cut (etcd does not sync) and has no
// leader election; both are of no use to a cluster that is deleted after a test.
func ConfigPatches(own bool) []string {
	patches := []string{clusterPatch, proxyPatch, kubeletPatch}
	if own {
		patches = append(patches, ownPatch, "kind: ClusterConfiguration\nencryptionAlgorithm: ECDSA-P256\n")
	}
	return patches
}

// The controller manager makes service accounts under a rate limit on the
// client's side that costs seconds at the start.
const clusterPatch = `kind: ClusterConfiguration
controllerManager:
  extraArgs:
    leader-elect: "false"
    kube-api-qps: "500"
    kube-api-burst: "1000"
scheduler:
  extraArgs:
    leader-elect: "false"
etcd:
  local:
    extraArgs:
      unsafe-no-fsync: "true"
`

// With kind's default of a second, the first request to a new Service can come
// before its rules.
const proxyPatch = `kind: KubeProxyConfiguration
iptables:
  minSyncPeriod: 100ms
`

// Each change brings another image into the node, and kubelet removes none
// before the disk is nearly full. What no container has used for a day goes.
const kubeletPatch = `kind: KubeletConfiguration
imageMaximumGCAge: 24h
`

// The folder holds a patch for one CoreDNS that is probed each second.
const ownPatch = `kind: InitConfiguration
skipPhases: [preflight, kubelet-finalize]
patches:
  directory: /kind/patches
`

// ClusterConfig returns a whole kind cluster configuration with ConfigPatches.
func ClusterConfig(own bool) string {
	var b strings.Builder
	b.WriteString("kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nkubeadmConfigPatches:\n")
	for _, p := range ConfigPatches(own) {
		b.WriteString("- |\n")
		for line := range strings.Lines(p) {
			b.WriteString("  " + line)
		}
	}
	return b.String()
}
