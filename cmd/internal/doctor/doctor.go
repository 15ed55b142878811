// Package doctor says what a machine lacks for the stages of a project, and for
// releasing it.
//
// A Project goes in, as far as it can be read, and a Report with findings comes
// out. Each check looks at one thing, changes nothing and takes less than three
// seconds, also where something does not answer: all are made at once, and one
// that does not come back is given up. A finding says what is there, what
// follows from it for the stages of this very project, and what to do.
package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/gitrepo"
)

// Project is what the checks look at: a project, as far as there is one that can
// be read, on this machine. All fields but the errors and Root are needed.
type Project struct {
	Version string // of this program
	Dir     string // absolute
	Root    string // top folder of the checkout; "" outside of one
	Cache   string
	// CacheErr says that there is no folder for the cache.
	CacheErr error
	Services []*config.Service
	// None says why there is no service, Wrong what is wrong with the
	// configuration.
	None, Wrong error
	// Nodes are the stages of the services, what a node depends on before it;
	// empty without any.
	Nodes []*pipeline.Node
	// Runtime is the runtime of the module stage that the user has chosen; ""
	// leaves it to the services.
	Runtime string
	// Cluster returns the cluster for a service's settings, which the user may
	// have overridden.
	Cluster func(config.Cluster) Cluster
	// Provider returns the provider of a cluster, which may write to the folder
	// cache; nothing is started.
	Provider func(c Cluster, cache string) (kindtest.Provider, error)
	// Branch names the branch of a head, also of a detached one in CI.
	Branch func(gitrepo.Head) string
	// Shown returns a path as the user would write it.
	Shown func(path string) string
}

// Cluster is a cluster that integration stages use. It is comparable.
type Cluster struct {
	config.Cluster
	Kubeconfig string // file; "" is the user's
}

// Examine makes all checks. It ends early, with findings that mean nothing,
// when ctx does.
func Examine(ctx context.Context, p Project) Report {
	d := newPatient(p)
	return newReport(p.Version, p.Dir, examine(ctx, checkTime, d.checks()))
}

// patient is a project with what the checks learn about the machine.
type patient struct {
	Project
	engines *engines
}

func newPatient(p Project) *patient { return &patient{Project: p, engines: newEngines()} }

// stagesOf returns the nodes of the plan that fit.
func (d *patient) stagesOf(fits func(*pipeline.Node) bool) []*pipeline.Node {
	return slices.DeleteFunc(slices.Clone(d.Nodes), func(n *pipeline.Node) bool { return !fits(n) })
}

// blocked makes a line a problem when it keeps one of the nodes from being
// tested. Stages that run on demand, and those that may be red for now, do not
// count: without others the line is a warning.
func (d *patient) blocked(l Finding, nodes []*pipeline.Node) Finding {
	nodes = slices.DeleteFunc(slices.Clone(nodes), func(n *pipeline.Node) bool {
		return n.OnDemand || n.Waive != nil && time.Now().Before(n.Waive.Until)
	})
	if len(nodes) == 0 {
		l.State = Warning
		return l
	}
	l.State = Problem
	for _, n := range nodes {
		l.NotTested = append(l.NotTested, n.Name)
	}
	l.Consequence = "not tested: " + d.stageNames(nodes)
	if skipped := d.dependents(nodes); len(skipped) > 0 {
		l.Consequence += "; skipped because of that: " + d.stageNames(skipped)
	}
	return l
}

// dependents returns the nodes that cannot start when these do not pass.
func (d *patient) dependents(nodes []*pipeline.Node) []*pipeline.Node {
	closed := map[string]bool{}
	for _, n := range nodes {
		closed[n.Name] = true
	}
	var more []*pipeline.Node
	for _, n := range d.Nodes { // what a node depends on stands before it
		waits := func(dep string) bool { return closed[dep] }
		if !closed[n.Name] && !n.OnDemand && (slices.ContainsFunc(n.Needs, waits) || slices.ContainsFunc(n.After, waits)) {
			closed[n.Name] = true
			more = append(more, n)
		}
	}
	return more
}

// stageNames lists nodes: by the stage's name alone where it is that of all
// services.
func (d *patient) stageNames(nodes []*pipeline.Node) string {
	count := map[string]int{}
	for _, n := range nodes {
		count[n.Kind]++
	}
	var names []string
	for _, n := range nodes {
		name := n.Name
		if count[n.Kind] == len(d.Services) {
			name = n.Kind
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// serviceNames lists names, each with a word about it; a single one needs no
// name.
func (d *patient) serviceNames(about func(*config.Service) string) string {
	var parts []string
	for _, c := range d.Services {
		if len(d.Services) == 1 {
			return about(c)
		}
		parts = append(parts, fmt.Sprintf("%s %s", c.Name, about(c)))
	}
	return strings.Join(parts, ", ")
}
