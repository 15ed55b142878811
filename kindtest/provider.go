package kindtest

import (
	"context"
	"fmt"
)

// Provider gives a cluster that is ready for use, or an error: never a
// half-ready one. Implementations may be used by several goroutines and by
// several processes at once.
type Provider interface {
	// Name identifies the cluster for people, for example "kind-pipeline".
	Name() string
	// Ensure creates the cluster or attaches to it and returns when it is
	// ready: API, cluster DNS and service proxy. It is fast when the cluster
	// is there already. What is wrong with the surroundings is reported as an
	// *EnvironmentError.
	Ensure(ctx context.Context) (*Cluster, error)
	// Attach returns the cluster if it can be used at once, and nil if there is
	// none; it creates nothing.
	Attach(ctx context.Context) (*Cluster, error)
	// Check says quickly, and without creating anything, whether Ensure has a
	// chance: nil, or the *EnvironmentError that it would return.
	Check(ctx context.Context) error
	// Delete removes the cluster and returns nil when there is none. A
	// provider that did not create the cluster refuses with an
	// *EnvironmentError.
	Delete(ctx context.Context) error
	// ExportLogs writes what helps to understand a broken cluster below dir.
	ExportLogs(ctx context.Context, dir string) error
}

// Loader brings an image into a cluster. Providers pass one to Open.
type Loader interface {
	// Load makes the manifest or index named by digest in the OCI image layout
	// folder runnable in c under the name ref; see Cluster.Load.
	Load(ctx context.Context, c *Cluster, layout, digest, ref string) (Loaded, error)
	// Config returns the digest of the image configuration that imageID, as a
	// pod's status shows it, stands for on the cluster's nodes.
	Config(ctx context.Context, c *Cluster, imageID string) (string, error)
}

// Loaded is an image that a cluster can run.
type Loaded struct {
	// Ref is what a pod's "image" field must say. It was built for
	// imagePullPolicy IfNotPresent.
	Ref string `json:"ref"`
	// Digest is the digest that was asked for. A pod's imageID ends with it,
	// unless the nodes know the same image under other digests as well; see
	// Cluster.Runs.
	Digest string `json:"digest"`
	// Config is the digest of the image configuration for the nodes'
	// platform. It binds every byte that a container sees.
	Config string `json:"config"`
	// Skipped is true when all nodes had the image under this name already.
	Skipped bool `json:"skipped"`
	// Sent is how many bytes went to the nodes or to the registry.
	Sent int64 `json:"sent"`
}

// EnvironmentError tells that something outside this program is missing or
// broken, and what can be done about it.
type EnvironmentError struct {
	What   string // what is wrong, a full clause without a full stop
	Remedy string // what the user can do; may be empty
	Err    error  // the cause; may be nil
}

func (e *EnvironmentError) Error() string {
	s := e.What
	if e.Err != nil {
		s = fmt.Sprintf("%s: %v", s, e.Err)
	}
	if e.Remedy != "" {
		s += "; " + e.Remedy
	}
	return s
}

func (e *EnvironmentError) Unwrap() error { return e.Err }
