package stages

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/stages/command"
)

func node(t *testing.T, o Options, name string) pipeline.Node {
	t.Helper()
	for _, n := range Nodes(o) {
		if n.Name == name {
			return n
		}
	}
	t.Fatalf("no node %s", name)
	return pipeline.Node{}
}

func TestGraphOfAnOrdinaryService(t *testing.T) {
	t.Parallel()
	nodes := Nodes(Options{Service: config.Service{Name: "a"}})
	type place struct{ Needs, After, Beside []string }
	got := map[string]place{}
	for _, n := range nodes {
		got[n.Name] = place{n.Needs, n.After, n.Beside}
	}
	build := []string{"a/build"}
	want := map[string]place{
		"a/build": {}, "a/unit": {Beside: build}, "a/lint": {Beside: build}, "a/bench": {After: build},
		"a/container": {Needs: build}, "a/module": {Needs: []string{"a/container"}},
		"a/integration": {Needs: []string{"a/container"}, Beside: []string{"a/module"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("needs and order (-want +got):\n%s", diff)
	}
	if _, err := pipeline.NewPlan(nodes); err != nil {
		t.Error(err)
	}
	if n := node(t, Options{Service: config.Service{Name: "a"}}, "a/bench"); !n.OnDemand || n.Timeout != defaultTimeout {
		t.Errorf("bench: %+v", n)
	}
}

// A command may want what the one before it has made.
func TestCommandsBeginOneAfterTheOther(t *testing.T) {
	t.Parallel()
	command := config.Stage{Command: []string{"make"}}
	for replaced, want := range map[string][]string{"build": {"a/unit", "a/lint"}, "unit": {"a/unit"}, "container": nil} {
		o := Options{Service: config.Service{Name: "a", Stages: map[string]config.Stage{replaced: command}}}
		var after []string
		for _, name := range []string{"a/unit", "a/lint"} {
			if n := node(t, o, name); slices.Equal(n.After, []string{"a/build"}) && len(n.Beside) == 0 {
				after = append(after, name)
			}
		}
		if !slices.Equal(after, want) {
			t.Errorf("with a command for %s, %q wait for the build, want %q", replaced, after, want)
		}
	}
}

func TestCommandsReplaceStagesAndMakeNewOnes(t *testing.T) {
	t.Parallel()
	o := Options{Version: "1.0.0", Service: config.Service{Name: "a", Stages: map[string]config.Stage{
		"build":    {Command: []string{"make"}, Needs: []string{"licences", "b/container"}},
		"licences": {Command: []string{"true"}, Timeout: time.Minute},
	}}}
	build := node(t, o, "a/build")
	if _, ok := build.Stage.(*command.Stage); !ok || !slices.Equal(build.Needs, []string{"a/licences", "b/container"}) {
		t.Errorf("build is %T and needs %v", build.Stage, build.Needs)
	}
	if n := node(t, o, "a/licences"); n.Timeout != time.Minute {
		t.Errorf("licences: %+v", n)
	}
	if o.stamped("build") != "1.0.0" || o.stamped("licences") != "" {
		t.Error("only what makes the bundle gets the version")
	}
}

func TestWhatIsInstalledNowhereHasNoIntegration(t *testing.T) {
	t.Parallel()
	o := Options{Service: config.Service{Name: "tool", Main: ".", Uninstalled: true}}
	if stage, ok := node(t, o, "tool/integration").Stage.(inapplicable); !ok {
		t.Errorf("integration is %T", stage)
	}
	if _, ok := node(t, o, "tool/module").Stage.(inapplicable); ok {
		t.Error("the module stage does not apply")
	}
}

func TestIntegrationNeedsTheBundlesOfItsNeighbours(t *testing.T) {
	t.Parallel()
	o := Options{
		Service: config.Service{Name: "cart", Integration: config.Integration{With: []config.With{{Service: "stock"}, {Chart: "db"}, {Service: "elsewhere"}}}},
		Others:  []config.Service{{Name: "cart"}, {Name: "stock"}},
	}
	want := []string{"cart/container", "stock/container"}
	if diff := cmp.Diff(want, node(t, o, "cart/integration").Needs); diff != "" {
		t.Errorf("needs (-want +got):\n%s", diff)
	}
}

func TestPortsOfTheImage(t *testing.T) {
	t.Parallel()
	module := map[string]config.Stage{"module": {Port: 8080}}
	for _, c := range []struct {
		service config.Service
		want    []int
	}{
		{config.Service{}, nil},
		{config.Service{Stages: module}, []int{8080}},
		{config.Service{Stages: module, Image: config.Image{Ports: []int{1, 2}}}, []int{1, 2}},
	} {
		if diff := cmp.Diff(c.want, Options{Service: c.service}.ports()); diff != "" {
			t.Errorf("ports (-want +got):\n%s", diff)
		}
	}
}
