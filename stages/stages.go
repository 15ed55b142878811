// Package stages is the catalogue: it turns the configuration of a service
// into the nodes of a plan. Each kind of stage is a package of its own below
// this one; what they have in common is pipeline.Stage.
package stages

import (
	"context"
	"slices"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/bench"
	"gitlab.com/selfcontained/pipeline/stages/build"
	"gitlab.com/selfcontained/pipeline/stages/command"
	"gitlab.com/selfcontained/pipeline/stages/container"
	"gitlab.com/selfcontained/pipeline/stages/integration"
	"gitlab.com/selfcontained/pipeline/stages/lint"
	"gitlab.com/selfcontained/pipeline/stages/module"
	"gitlab.com/selfcontained/pipeline/stages/unit"
)

// Options are what the stages of a service need to know beside its
// configuration.
type Options struct {
	Service config.Service
	Version string
	Sources *source.Folder
	// Others are all services of the plan.
	Others []config.Service
	// Cache is a folder for tools and downloads that all checkouts share.
	Cache string
	// Runtime of the module stage; empty is the first that works.
	Runtime string
	// Provider, Kubernetes, WaitCleanup: see integration.Options.
	Provider    kindtest.Provider
	Kubernetes  string
	WaitCleanup bool
}

// defaultTimeout bounds a stage that says nothing else: long enough for any
// honest one, short enough that a hanging job ends before CI's patience does.
const defaultTimeout = 30 * time.Minute

// place is the position of a built-in stage in the graph.
type place struct {
	kind                 string
	needs, after, beside []string
	onDemand, background bool
}

// places is the graph of the built-in stages. Whatever comes after the build
// begins when its programs are there and the rest of its checks goes on.
// Integration does not wait for the module stage, but does not count without
// it: what does not start alone is to be looked at first. The same holds for
// the tests of packages and the build. The way to the cluster is the longest, so
// the others give way.
func places() []place {
	return []place{
		{kind: "build"},
		{kind: "unit", beside: []string{"build"}, background: true},
		{kind: "lint", beside: []string{"build"}, background: true},
		{kind: "container", needs: []string{"build"}},
		{kind: "module", needs: []string{"container"}},
		{kind: "integration", needs: []string{"container"}, beside: []string{"module"}},
		{kind: "bench", after: []string{"build"}, onDemand: true},
	}
}

// Nodes returns the nodes of one service: the built-in stages, or the commands
// that replace them, and the service's own.
func Nodes(o Options) []pipeline.Node {
	var nodes []pipeline.Node
	for _, p := range places() {
		nodes = append(nodes, o.node(p))
	}
	for _, kind := range o.ownStages() {
		nodes = append(nodes, o.node(place{kind: kind}))
	}
	return nodes
}

// ownStages returns the stages that only the configuration knows, sorted.
func (o Options) ownStages() []string {
	var own []string
	for kind := range o.Service.Stages {
		if !slices.Contains(config.Builtin(), kind) {
			own = append(own, kind)
		}
	}
	slices.Sort(own)
	return own
}

func (o Options) node(p place) pipeline.Node {
	settings := o.Service.Stages[p.kind]
	if slices.Contains(p.beside, "build") && len(settings.Command)+len(o.Service.Stages["build"].Command) > 0 {
		p.after, p.beside = p.beside, nil // a command may want what another made
	}
	n := pipeline.Node{
		Name: o.Service.Name + "/" + p.kind, Service: o.Service.Name, Kind: p.kind, Dir: o.Service.Dir,
		Needs: o.qualify(p.needs, settings.Needs), After: o.qualify(p.after, settings.After),
		Beside: o.qualify(p.beside), Background: p.background,
		OnDemand: p.onDemand, Timeout: settings.Timeout, Retries: 1,
	}
	if p.kind == "integration" {
		n.Needs = append(n.Needs, o.neighbours()...)
	}
	if n.Timeout == 0 {
		n.Timeout = defaultTimeout
	}
	if w := settings.Waive; w != nil {
		n.Waive = &pipeline.Waiver{Reason: w.Reason, Until: w.Until}
	}
	n.Stage = o.stage(p.kind, settings)
	return n
}

// qualify makes names of nodes out of names of stages, each once. SERVICE/STAGE
// is that of another service.
func (o Options) qualify(lists ...[]string) []string {
	var names []string
	for _, name := range slices.Concat(lists...) {
		if !strings.Contains(name, "/") {
			name = o.Service.Name + "/" + name
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// neighbours are the containers of the services that are installed beside.
func (o Options) neighbours() []string {
	var names []string
	for _, w := range o.Service.Integration.With {
		known := slices.ContainsFunc(o.Others, func(s config.Service) bool { return s.Name == w.Service })
		if name := w.Service + "/container"; known && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func (o Options) stage(kind string, settings config.Stage) pipeline.Stage {
	if len(settings.Command) > 0 {
		return command.New(command.Options{Service: o.Service, Kind: kind, Sources: o.Sources, Version: o.stamped(kind)})
	}
	if o.library() && (kind == "container" || kind == "module" || kind == "integration") {
		return inapplicable{"a library has no image"}
	}
	if o.Service.Uninstalled && kind == "integration" {
		return inapplicable{"it is installed nowhere: chart and manifests are empty"}
	}
	switch kind {
	case "build":
		return build.New(build.Options{Service: o.Service, Version: o.Version, Sources: o.Sources})
	case "unit":
		return unit.New(unit.Options{Service: o.Service, Sources: o.Sources})
	case "lint":
		return lint.New(lint.Options{Service: o.Service, Sources: o.Sources, CacheDir: o.Cache})
	case "container":
		return container.New(container.Options{Service: o.Service, Version: o.Version, Sources: o.Sources, Ports: o.ports()})
	case "module":
		return module.New(module.Options{Service: o.Service.Name, Dir: o.Service.Dir, Settings: o.moduleSettings(), Version: o.Version, Sources: o.Sources})
	case "integration":
		return integration.New(integration.Options{
			Service: o.Service, Siblings: o.Others, Sources: o.Sources,
			Provider: o.Provider, Kubernetes: o.Kubernetes, WaitCleanup: o.WaitCleanup,
		})
	}
	return bench.New(bench.Options{Service: o.Service, Sources: o.Sources})
}

// library reports whether there is no program, nor anything else that could
// become an image.
func (o Options) library() bool {
	commands := len(o.Service.Stages["build"].Command) + len(o.Service.Stages["container"].Command)
	return o.Service.Main == "" && len(o.Service.Image.Builder) == 0 && commands == 0
}

// inapplicable is the stage of a kind that a service by its nature has no use
// for.
type inapplicable struct{ why string }

func (s inapplicable) Run(context.Context, *pipeline.Job) error {
	return &pipeline.NotApplicable{Why: s.why}
}

func (s inapplicable) Key(_ context.Context, in *evidence.Inputs) error {
	in.Value("not applicable", s.why)
	return nil
}

// stamped is the version for a command: only what makes the bundle needs it,
// and it would make any other run again with every change.
func (o Options) stamped(kind string) string {
	if kind == "build" || kind == "container" {
		return o.Version
	}
	return ""
}

// moduleSettings are those of the configuration with the runtime of the
// command line.
func (o Options) moduleSettings() config.Stage {
	settings := o.Service.Stages["module"]
	if o.Runtime != "" {
		settings.Runtime = o.Runtime
	}
	return settings
}

// ports are what the image exposes: its own list, else the port at which the
// module stage reaches the service.
func (o Options) ports() []int {
	if len(o.Service.Image.Ports) > 0 {
		return o.Service.Image.Ports
	}
	if p := o.Service.Stages["module"].Port; p != 0 {
		return []int{p}
	}
	return nil
}
