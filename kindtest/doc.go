// Package kindtest is Kubernetes for tests.
//
// A Provider creates a cluster or attaches to one and returns it ready for use:
// not only Ready in the sense of kubeadm, but with cluster DNS and the service
// proxy working, so that the first request of a test does not fail for want of
// them. On a Cluster a test takes a Lease: a namespace of its own that is
// labelled with its run, its owner and its time of expiry, so that whatever is
// left by a run that died is found and deleted by Sweep, and nothing else is.
//
// Images reach the nodes directly from an OCI layout (Cluster.Load), under
// the digest that was tested before, and the digest a pod runs can be compared
// with it. Charts and manifests are installed into the lease and watched, not
// polled, until they are ready. When they will not become so, WaitReady says
// why: a *NotReadyError carries the Diagnosis a person would have collected.
//
// A Space is a namespace that stays: an environment with Helm releases that are
// installed, upgraded and rolled back with the same care, and compared with what
// runs (Space.Drift). No sweep ever touches one.
package kindtest
