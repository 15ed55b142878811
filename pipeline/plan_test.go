package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type nothing struct{}

func (nothing) Run(context.Context, *Job) error { return nil }

// graph makes nodes from lines "name: needs... | after...".
func graph(lines ...string) []Node {
	var nodes []Node
	for _, line := range lines {
		name, deps, _ := strings.Cut(line, ":")
		needs, after, _ := strings.Cut(deps, "|")
		service, kind, _ := strings.Cut(name, "/")
		nodes = append(nodes, Node{
			Name: name, Service: service, Kind: kind, Stage: nothing{},
			Needs: strings.Fields(needs), After: strings.Fields(after),
		})
	}
	return nodes
}

func order(p *Plan) []string {
	var names []string
	for _, n := range p.Nodes() {
		names = append(names, n.Name)
	}
	return names
}

func TestPlanPutsNeedsFirstAndKeepsTheOrderOtherwise(t *testing.T) {
	t.Parallel()
	p, err := NewPlan(graph("a/integration: a/container | a/module", "a/container: a/build", "a/unit: | a/build", "a/module: a/container", "a/build:"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"a/build", "a/container", "a/module", "a/integration", "a/unit"}
	if diff := cmp.Diff(want, order(p)); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestUrgentIsWhatMostWaitFor(t *testing.T) {
	t.Parallel()
	p, err := NewPlan(graph("a/build:", "a/unit: | a/build", "a/lint: | a/build", "a/container: a/build", "a/module: a/container", "a/integration: a/container | a/module"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"a/build", "a/container", "a/module", "a/unit", "a/lint", "a/integration"}
	var got []string
	for _, n := range p.byUrgency() {
		got = append(got, n.Name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestPlanRefusesBadGraphs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		nodes []Node
		want  string
	}{
		"cycle":     {graph("a/x: a/y", "a/y: | a/z", "a/z: a/x"), "a/x -> a/y -> a/z -> a/x"},
		"itself":    {graph("a/x: a/x"), "a/x -> a/x"},
		"unknown":   {graph("a/x: a/nope"), "stage a/x needs a/nope"},
		"duplicate": {graph("a/x:", "a/x:"), "two stages are named a/x"},
	} {
		_, err := NewPlan(c.nodes)
		var plan *PlanError
		if !errors.As(err, &plan) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want a PlanError with %q", name, err, c.want)
		}
	}
}

func TestSelectTakesWhatIsNeededAndDropsOrderToTheRest(t *testing.T) {
	t.Parallel()
	nodes := graph("a/build:", "a/unit: | a/build", "a/container: a/build", "a/module: a/container", "a/integration: a/container | a/module", "a/bench: | a/build")
	nodes[5].OnDemand = true
	p, err := NewPlan(nodes)
	if err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string][]string{
		"integration": {"a/build", "a/container", "a/integration"},
		"a/unit":      {"a/unit"},
		"":            {"a/build", "a/unit", "a/container", "a/module", "a/integration"},
		"bench build": {"a/build", "a/bench"},
	} {
		part, err := p.Select(strings.Fields(args)...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, order(part)); diff != "" {
			t.Errorf("Select(%s) (-want +got):\n%s", args, diff)
		}
		if n := part.Node("a/integration"); args == "integration" && len(n.After) != 0 {
			t.Errorf("Select(%s): integration still comes after %v", args, n.After)
		}
	}
	if _, err := p.Select("untit"); err == nil || !strings.Contains(err.Error(), "build, unit, container") {
		t.Errorf("Select of an unknown stage: %v", err)
	}
}

func TestWaiverIsAWaiverUntilItsDate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		until time.Time
		want  Status
	}{{time.Now().Add(time.Hour), Waived}, {time.Now().Add(-time.Hour), Failed}} {
		nodes := graph("a/x:")
		nodes[0].Stage = stageFunc(func(context.Context, *Job) error { return errors.New("red") })
		nodes[0].Waive = &Waiver{Reason: "ticket 7", Until: c.until}
		rec := newBench(t, nodes...).run(t)
		if got := rec.Result("a/x").Status; got != c.want {
			t.Errorf("until %v: %s, want %s", c.until, got, c.want)
		}
	}
}

// BenchmarkPlan1000 makes and decides a plan of 1,000 empty stages: the promise
// is less than 100 ms.
func BenchmarkPlan1000(b *testing.B) {
	nodes := make([]Node, 1000)
	for i := range nodes {
		nodes[i] = Node{Name: fmt.Sprintf("s/%04d", i), Service: "s", Kind: fmt.Sprintf("%04d", i), Stage: keyed{}}
		if i > 0 {
			nodes[i].After = []string{nodes[(i-1)/2].Name}
		}
	}
	for b.Loop() {
		p, err := NewPlan(nodes)
		if err != nil {
			b.Fatal(err)
		}
		e := &Engine{Plan: p, Checkout: OpenCheckout(b.TempDir()), Store: openStore(b)}
		if _, err := e.Decide(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func TestUrgency(t *testing.T) {
	t.Parallel()
	nodes := graph("a/build:", "a/unit: | a/build", "a/container: a/build", "a/module: a/container", "a/integration: a/container")
	nodes[1].Background, nodes[4].Beside = true, []string{"a/module"}
	p, err := NewPlan(nodes)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range p.byUrgency() {
		got = append(got, n.Kind)
	}
	if want := []string{"build", "container", "integration", "module", "unit"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
