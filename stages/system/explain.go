package system

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/internal/installation"
)

// explain says which member keeps the system from getting ready, and why.
func (d *deployment) explain(ctx context.Context, e *kindtest.NotReadyError) error {
	belongings, err := d.lease.Belongings(ctx)
	if err != nil {
		fmt.Fprintf(d.job.Log, "whose the workloads are could not be found out: %v\n", err)
	}
	if images, err := d.lease.Images(ctx); err == nil {
		// A pod that does not even try to run the image under test is the reason.
		if foreign := d.judgeImages(images, belongings, nil); foreign != nil {
			return foreign
		}
	}
	return notReady(e, func(workload string) string {
		if m := d.member(belongings.Of(workload)); m != nil {
			return m.String()
		}
		return ""
	})
}

// notReady makes a verdict of a diagnosis: the members that are not ready, the
// most telling problem first. A cluster without room says nothing about the
// combination.
func notReady(e *kindtest.NotReadyError, member func(workload string) string) error {
	var blamed []string
	for _, p := range e.Diagnosis.Problems {
		if m := member(p.Workload); m != "" && !slices.Contains(blamed, m) {
			blamed = append(blamed, m)
		}
	}
	if len(blamed) == 0 {
		return e
	}
	if p := e.Diagnosis.Problems[0]; noRoom(p) {
		return &pipeline.NotTested{
			Why:    fmt.Sprintf("the cluster has no room for %s: %s", blamed[0], p.Message),
			Remedy: "test fewer combinations at once (search.parallel), or in a larger cluster",
		}
	}
	verdict := fmt.Sprintf("is not ready after %.1f s", e.After.Seconds())
	if e.Hopeless {
		verdict = "will not become ready"
	}
	f := &pipeline.Failure{Summary: fmt.Sprintf("%s %s: %s", blamed[0], verdict, e.Diagnosis.Cause()), Cause: installation.Details(e)}
	if len(blamed) > 1 {
		f.Summary += " (not ready either: " + strings.Join(blamed[1:], ", ") + ")"
	}
	return f
}

// noRoom reports whether a pod waits for a node with room for it, by the words
// of the scheduler: kubernetes, pkg/scheduler/framework/plugins/noderesources.
func noRoom(p kindtest.Problem) bool {
	return p.Reason == "Unschedulable" && (strings.Contains(p.Message, "Insufficient ") || strings.Contains(p.Message, "Too many pods"))
}

// member returns the member that was installed under a name, or nil.
func (d *deployment) member(release string) *placed {
	at := slices.IndexFunc(d.members, func(m *placed) bool { return m.Name == release })
	if at < 0 {
		return nil
	}
	return d.members[at]
}
