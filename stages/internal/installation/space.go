package installation

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
)

// Space remembers the namespace that a stage has on lease, so that it is given
// back however the stage ends. The zero value has none.
type Space struct {
	mu    sync.Mutex
	lease *kindtest.Lease
}

// takeGrace is how long a namespace whose creation has begun may take to be
// created after the end of the context: half a namespace would be nobody's.
const takeGrace = 3 * time.Second

// maxPrefix leaves room for the random part in a name of 63 bytes at most (RFC
// 1123, section 2.1).
const maxPrefix = 63 - len("-0123456789")

// Take leases a namespace for a run; its name begins with prefix, as much of it
// as there is room for.
func (s *Space) Take(ctx context.Context, cluster *kindtest.Cluster, prefix, run string) (*kindtest.Lease, error) {
	patient, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(takeGrace, cancel) })()
	lease, err := cluster.Lease(patient, kindtest.LeaseOptions{Prefix: shortened(prefix), RunID: run})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lease = lease
	return lease, ctx.Err()
}

func shortened(prefix string) string {
	return strings.TrimRight(prefix[:min(len(prefix), maxPrefix)], "-")
}

// Clean gives the namespace back. Its deletion is issued and seen; that all of
// it is gone is waited for only on request.
func (s *Space) Clean(ctx context.Context, wait bool) error {
	s.mu.Lock()
	lease := s.lease
	s.lease = nil
	s.mu.Unlock()
	if lease == nil {
		return nil
	}
	if err := lease.Release(ctx); err != nil {
		return fmt.Errorf("namespace %s, until the next run sweeps it: %w", lease.Namespace, err)
	}
	if !wait {
		return nil
	}
	if err := lease.WaitGone(ctx); err != nil {
		return fmt.Errorf("namespace %s, which is still being deleted: %w", lease.Namespace, err)
	}
	return nil
}

// Sweep deletes what dead runs left, beside everything else.
func Sweep(ctx context.Context, cluster *kindtest.Cluster, log io.Writer) <-chan error {
	swept := make(chan error, 1)
	go func() {
		namespaces, err := cluster.Sweep(ctx)
		for _, n := range namespaces {
			fmt.Fprintf(log, "deleted namespace %s, left by a run that is over\n", n)
		}
		swept <- err
	}()
	return swept
}

// collectTimeout bounds the time for logs and events of a failure.
const collectTimeout = 15 * time.Second

// Collect notes what the cluster said, and keeps what explains a failure, also
// after a cancellation.
func Collect(ctx context.Context, job *pipeline.Job, lease *kindtest.Lease, failure error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), collectTimeout)
	defer cancel()
	events, err := lease.Events(ctx)
	if err != nil {
		fmt.Fprintf(job.Log, "the events of the namespace could not be read: %v\n", err)
	}
	for _, e := range events {
		job.Findings.Events = append(job.Findings.Events, pipeline.ClusterEvent(e))
	}
	if failure == nil {
		return
	}
	if err := lease.Collect(ctx, filepath.Join(job.Kept, "cluster")); err != nil {
		fmt.Fprintf(job.Log, "not all of the logs and events could be kept: %v\n", err)
	}
}
