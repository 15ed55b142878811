package doctor

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/kindtest/kind"
	"gitlab.com/selfcontained/pipeline/kindtest/nodeimage"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// clusterCheck is a cluster that the integration stages of some services use.
type clusterCheck struct {
	patient *patient
	choice  Cluster
	nodes   []*pipeline.Node
	// needed is false where no stage uses a cluster.
	needed bool
}

// clusters returns each cluster once.
func (d *patient) clusters() []*clusterCheck {
	if len(d.Nodes) == 0 {
		return []*clusterCheck{{patient: d, choice: d.Cluster(config.Cluster{}), needed: true}}
	}
	var all []*clusterCheck
	known := map[Cluster]*clusterCheck{}
	for _, n := range d.integrationStages() {
		choice := d.clusterOf(n.Service)
		if known[choice] == nil {
			known[choice] = &clusterCheck{patient: d, choice: choice, needed: true}
			all = append(all, known[choice])
		}
		known[choice].nodes = append(known[choice].nodes, n)
	}
	if len(all) == 0 {
		return []*clusterCheck{{patient: d}}
	}
	return all
}

func (d *patient) clusterOf(service string) Cluster {
	for _, c := range d.Services {
		if c.Name == service {
			return d.Cluster(c.Integration.Cluster)
		}
	}
	return d.Cluster(config.Cluster{})
}

// existing reports whether somebody else keeps the cluster.
func (c *clusterCheck) existing() bool { return c.choice.Provider == "existing" }

// usesKind reports whether a cluster of kind is wanted.
func (d *patient) usesKind() bool {
	for _, c := range d.clusters() {
		if c.needed && !c.existing() {
			return true
		}
	}
	return false
}

// lines looks at the cluster. Nothing is made, started or written to it.
func (c *clusterCheck) lines(ctx context.Context) []Finding {
	if !c.needed {
		return []Finding{{State: NotNeeded, Found: "no service has an integration stage that needs one"}}
	}
	cache, remove, err := c.cache()
	if err != nil {
		return []Finding{c.patient.blocked(errorLine(err), c.nodes)}
	}
	defer remove()
	p, err := c.patient.Provider(c.choice, cache)
	if err != nil {
		return []Finding{c.patient.blocked(errorLine(err), c.nodes)}
	}
	cluster, err := p.Attach(ctx)
	if err != nil {
		return []Finding{c.patient.blocked(errorLine(err), c.nodes)}
	}
	if c.existing() {
		return append([]Finding{answerLine(ctx, cluster)}, c.existingLines(ctx, cluster)...)
	}
	if cluster == nil {
		return c.absent(ctx, p)
	}
	return append([]Finding{c.versionLine(answerLine(ctx, cluster), cluster.Version)}, commonLines(ctx, cluster)...)
}

// cache returns the folder that the provider of the cluster may write to: for
// its private kubeconfig, which is not to stay here.
func (c *clusterCheck) cache() (dir string, remove func(), err error) {
	if !c.existing() {
		return c.patient.Cache, func() {}, nil // kind's provider only reads, to attach
	}
	dir, err = os.MkdirTemp("", "pipeline-doctor-")
	return dir, func() { os.RemoveAll(dir) }, err
}

// answerLine says what answers, and for how long it has been there.
func answerLine(ctx context.Context, cluster *kindtest.Cluster) Finding {
	l := Finding{State: OK, Found: fmt.Sprintf("%s answers, Kubernetes %s", cluster.Name, cluster.Version)}
	ns, err := cluster.Client().CoreV1().Namespaces().Get(ctx, "kube-system", metav1.GetOptions{})
	if err == nil {
		l.Found += ", made " + ageText(time.Since(ns.CreationTimestamp.Time)) + " ago"
	}
	return l
}

// ageText is a time as people say it, in its greatest unit.
func ageText(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	}
	return fmt.Sprintf("%d seconds", int(d.Seconds()))
}

// versionLine compares a cluster that pipeline made with what it makes now.
func (c *clusterCheck) versionLine(l Finding, version string) Finding {
	if c.choice.NodeImage == "" && minor(version) != minor(nodeimage.Kubernetes) {
		l.State = Warning
		l.Consequence = fmt.Sprintf("this version of pipeline makes clusters with %s: verdicts from here do not count for those, nor theirs here", nodeimage.Kubernetes)
		l.Remedy = "when nobody uses it: " + c.command("down") + ", then " + c.command("up")
	}
	return l
}

// command is `pipeline cluster DO` for this cluster.
func (c *clusterCheck) command(do string) string {
	if c.choice.Name == "" || c.choice.Name == kind.DefaultCluster {
		return "`pipeline cluster " + do + "`"
	}
	return "`pipeline cluster " + do + " --cluster " + proc.Quote([]string{c.choice.Name}) + "`"
}

// minor returns "v1.36" of "v1.36.3".
func minor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// commonLines are about a cluster that answers, whoever made it.
func commonLines(ctx context.Context, cluster *kindtest.Cluster) []Finding {
	return append(leaseLines(ctx, cluster), clockLines(ctx, cluster)...)
}

func leaseLines(ctx context.Context, cluster *kindtest.Cluster) []Finding {
	leases, err := cluster.Leases(ctx)
	if err != nil {
		l := errorLine(err)
		l.Name = "leases"
		l.Consequence = "namespaces that killed runs have left are not found"
		return []Finding{l}
	}
	stale := 0
	for _, lease := range leases {
		if lease.Stale != "" {
			stale++
		}
	}
	l := Finding{Name: "leases", State: OK, Found: plural(len(leases), "namespace") + " on lease"}
	if stale > 0 {
		l.State, l.Found = Warning, l.Found+fmt.Sprintf(", %d left by runs that are over", stale)
		l.Consequence, l.Remedy = "they take memory in the cluster", "`pipeline cluster sweep`"
	}
	return []Finding{l}
}

// absent is about a kind cluster that cannot be used at once.
func (c *clusterCheck) absent(ctx context.Context, p kindtest.Provider) []Finding {
	e, ok := c.patient.engines.first(ctx)
	// What a run would say decides, unless it waits for an engine longer than
	// this check may.
	if err := p.Check(ctx); err != nil && ctx.Err() == nil {
		return []Finding{c.patient.blocked(errorLine(err), c.nodes)}
	}
	if !ok && !installed("nerdctl") {
		return []Finding{c.patient.blocked(errorLine(c.patient.engines.silence(ctx)), c.nodes)}
	}
	if !ok || ctx.Err() != nil {
		return []Finding{{State: OK, Found: "none; the first run makes it"}}
	}
	name := cmp.Or(c.choice.Name, kind.DefaultCluster)
	out, err := ask(ctx, "", nil, e.name, "ps", "--all", "--filter", "label=io.x-k8s.kind.cluster="+name, "--format", "{{.Status}}")
	if err == nil && out != "" {
		state, _, _ := strings.Cut(out, "\n")
		return append([]Finding{{
			State: Warning, Found: fmt.Sprintf("%s is there (%s) and cannot be used at once", p.Name(), state),
			Consequence: "the next run starts it again, or makes it anew after a minute",
			Remedy:      c.command("up"),
		}}, c.nodeImage(ctx, e)...)
	}
	return append([]Finding{{
		State: OK, Found: fmt.Sprintf("none; the first run makes %s with %s, in some 20 seconds", p.Name(), e.name),
	}}, c.nodeImage(ctx, e)...)
}

func installed(command string) bool {
	_, err := exec.LookPath(command)
	return err == nil
}

// nodeImage says what a new cluster would be made of.
func (c *clusterCheck) nodeImage(ctx context.Context, e engine) []Finding {
	l := Finding{Name: "node image", State: OK}
	if image := c.choice.NodeImage; image != "" {
		l.Found = image
		if _, err := ask(ctx, "", nil, e.name, "image", "inspect", "--format", "{{.Id}}", image); err != nil {
			l.State, l.Found = Warning, image+" is not there"
			l.Consequence = "it is tried for 20 seconds to pull it; where that fails, integration is not tested"
			l.Remedy = fmt.Sprintf("`%s`", proc.Quote([]string{e.name, "pull", image}))
		}
		return []Finding{l}
	}
	there, err := nodeimage.Present(ctx, e.name)
	if err != nil {
		return []Finding{errorLine(err)}
	}
	if there {
		l.Found = nodeimage.Ref()
		return []Finding{l}
	}
	build := "`pipeline cluster node-image`"
	if e.name != "docker" {
		build = "`pipeline cluster node-image --engine " + e.name + "`"
	}
	l.State, l.Remedy = Warning, build+" (about 14 minutes from nothing, once)"
	kinds, _ := ask(ctx, "", nil, e.name, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "kindest/node")
	kinds, _, _ = strings.Cut(kinds, "\n")
	switch {
	case e.cgroup == "1":
		l.Found = cmp.Or(kinds, "none built here")
		l.Consequence = "from Kubernetes 1.35 on kind's own image does not start on a machine with cgroup v1, such as this one"
	case kinds != "":
		l.State, l.Found, l.Remedy = OK, kinds, ""
	default:
		l.Found = "none"
		l.Consequence = "it is tried for 20 seconds to pull kind's own; where that fails, integration is not tested"
	}
	return []Finding{l}
}
