// Package integration is the stage that tests a service in a real Kubernetes.
//
// It takes a fresh namespace on lease, brings the very bundle that the
// container stage made into the cluster, installs the chart that lies in this
// bundle together with what the service needs beside it, waits until all of it
// is ready, checks that the pods run the recorded digest, and then runs the
// tests with the build tag "integration" with the endpoints in their
// environment. The namespace is given back in any case; after a failure logs
// and events are kept.
//
// The verdict is bound to the bundles, the values, the data, the tests and the
// minor version of Kubernetes, not to a particular cluster.
package integration
