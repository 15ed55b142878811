package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Plan is an immutable graph of nodes in the order in which they were given,
// needs first. Two calls with the same nodes give the same plan.
type Plan struct {
	nodes []*Node
	index map[string]*Node
}

// PlanError says what is wrong with a graph of stages: the configuration's
// author has to change it.
type PlanError struct{ Message string }

func (e *PlanError) Error() string { return e.Message }

// NewPlan sorts the nodes so that what a node needs or comes after stands
// before it, otherwise in the given order. It refuses duplicates, unknown
// names and cycles (which it prints) with a *PlanError.
func NewPlan(nodes []Node) (*Plan, error) {
	p := &Plan{index: make(map[string]*Node, len(nodes))}
	for i := range nodes {
		n := nodes[i]
		if p.index[n.Name] != nil {
			return nil, &PlanError{fmt.Sprintf("two stages are named %s", n.Name)}
		}
		p.index[n.Name] = &n
	}
	marks := make(map[string]mark, len(nodes))
	for i := range nodes {
		if err := p.visit(nodes[i].Name, marks, nil); err != nil {
			return nil, err
		}
	}
	return p, nil
}

type mark int

const (
	unseen mark = iota
	open
	done
)

// visit appends what the node depends on and then the node itself. path is the
// way from the root to here.
func (p *Plan) visit(name string, marks map[string]mark, path []string) error {
	switch marks[name] {
	case done:
		return nil
	case open:
		cycle := append(slices.Clone(path[slices.Index(path, name):]), name)
		return &PlanError{"stages need each other in a circle: " + strings.Join(cycle, " -> ")}
	}
	n := p.index[name]
	if n == nil {
		return &PlanError{fmt.Sprintf("stage %s needs %s, which does not exist", path[len(path)-1], name)}
	}
	marks[name] = open
	path = append(path, name)
	for _, dep := range n.grounds() {
		if err := p.visit(dep, marks, path); err != nil {
			return err
		}
	}
	marks[name] = done
	p.nodes = append(p.nodes, n)
	return nil
}

// dependencies are the nodes that this one waits for.
func (n *Node) dependencies() []string { return slices.Concat(n.Needs, n.After) }

// grounds are the nodes on which the result of this one stands.
func (n *Node) grounds() []string { return slices.Concat(n.Needs, n.After, n.Beside) }

// Nodes returns the nodes in an order in which they could run one by one.
func (p *Plan) Nodes() []*Node { return slices.Clone(p.nodes) }

// byUrgency returns the nodes with those first that most others wait for, one
// after the other, those last that give way to others, and a node before those
// that it runs beside, because it is the longer one; otherwise in plan order. It
// stays an order in which they could run one by one.
func (p *Plan) byUrgency() []*Node {
	height := make(map[string]int, len(p.nodes))
	for _, n := range slices.Backward(p.nodes) {
		for _, dep := range n.dependencies() {
			height[dep] = max(height[dep], height[n.Name]+1)
		}
	}
	nodes := slices.Clone(p.nodes)
	slices.SortStableFunc(nodes, func(a, b *Node) int {
		return cmp.Or(height[b.Name]-height[a.Name], rank(a)-rank(b))
	})
	return nodes
}

// rank orders nodes that equally many others wait for.
func rank(n *Node) int {
	switch {
	case n.Background:
		return 2
	case len(n.Beside) == 0:
		return 1
	}
	return 0
}

// Node returns the node of a name, or nil.
func (p *Plan) Node(name string) *Node { return p.index[name] }

// Named reports whether one of the names means the node: "SERVICE/STAGE",
// "STAGE" for this stage of every service, or "SERVICE" for every stage of it
// that is not on demand. No names mean every node that is not on demand.
func (n *Node) Named(names ...string) bool {
	if len(names) == 0 {
		return !n.OnDemand
	}
	return slices.Contains(names, n.Name) || slices.Contains(names, n.Kind) || slices.Contains(names, n.Service) && !n.OnDemand
}

// Select returns the part of the plan that is needed for the nodes of the given
// names (see Node.Named): these and what they need. An order-only dependency
// counts where both ends are selected. An unknown name is a *PlanError that
// lists the known ones.
func (p *Plan) Select(names ...string) (*Plan, error) {
	for _, name := range names {
		if !slices.ContainsFunc(p.nodes, func(n *Node) bool { return n.Named(name) }) {
			return nil, p.unknown(name)
		}
	}
	chosen := map[string]bool{}
	for _, n := range p.nodes {
		if n.Named(names...) {
			p.choose(n.Name, chosen)
		}
	}
	return p.restrict(chosen), nil
}

func (p *Plan) unknown(name string) error {
	known := "there are " + strings.Join(p.kinds(), ", ")
	if services := p.Services(); len(services) > 1 {
		known += ", of " + strings.Join(services, ", ")
	}
	return &PlanError{fmt.Sprintf("no stage %q; %s", name, known)}
}

func (p *Plan) choose(name string, chosen map[string]bool) {
	if chosen[name] {
		return
	}
	chosen[name] = true
	for _, dep := range p.index[name].Needs {
		p.choose(dep, chosen)
	}
}

func (p *Plan) restrict(chosen map[string]bool) *Plan {
	out := &Plan{index: make(map[string]*Node, len(chosen))}
	for _, n := range p.nodes {
		if !chosen[n.Name] {
			continue
		}
		part := *n
		left := func(name string) bool { return !chosen[name] }
		part.After = slices.DeleteFunc(slices.Clone(n.After), left)
		part.Beside = slices.DeleteFunc(slices.Clone(n.Beside), left)
		out.nodes = append(out.nodes, &part)
		out.index[n.Name] = &part
	}
	return out
}

// kinds returns the distinct stage names in plan order.
func (p *Plan) kinds() []string {
	var kinds []string
	for _, n := range p.nodes {
		if !slices.Contains(kinds, n.Kind) {
			kinds = append(kinds, n.Kind)
		}
	}
	return kinds
}

// Services returns the distinct services in plan order.
func (p *Plan) Services() []string {
	var services []string
	for _, n := range p.nodes {
		if !slices.Contains(services, n.Service) {
			services = append(services, n.Service)
		}
	}
	return services
}
