package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/kindtest/kind"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/gitrepo"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages"
)

// sickLines have each state, long texts, a command that must not be broken, and
// a password.
func sickLines() []Finding {
	return []Finding{
		{Group: "project", Name: "service", State: OK, Found: "stock (.)"},
		{Group: "tools", Name: "docker", State: Warning, Found: "does not answer: permission denied", Consequence: "podman is used instead", Remedy: "`sudo usermod -aG docker \"$USER\"` and log in again (the members of this group can become root)"},
		{Group: "tools", Name: "module runtime", State: OK, Found: "sandbox (user namespaces)"},
		{Group: "cluster", Name: "cluster", State: Problem, Found: "no container engine answers: none of docker, podman and nerdctl is installed", Consequence: "not tested: integration", Remedy: "start docker or podman, or set DOCKER_HOST", NotTested: []string{"stock/integration"}},
		{Group: "release", Name: "registry", State: NotNeeded, Found: "release.registry is not set"},
		{Group: "machine", Name: "proxy", State: Warning, Found: "HTTPS_PROXY=http://jane:hunter2@proxy.example.com:3128\x1b[31m; NO_PROXY lacks localhost"},
	}
}

func TestDoctorText(t *testing.T) {
	t.Parallel()
	const want = `project
  ok          service         stock (.)
tools
  warning     docker          does not answer: permission denied
              so: podman is used instead
              do: ` + "`" + `sudo usermod -aG docker "$USER"` + "`" + ` and log in again (the
                  members of this group can become root)
  ok          module runtime  sandbox (user namespaces)
cluster
  problem     cluster         no container engine answers: none of docker,
                              podman and nerdctl is installed
              so: not tested: integration
              do: start docker or podman, or set DOCKER_HOST
release
  not needed  registry        release.registry is not set
machine
  warning     proxy           HTTPS_PROXY=http://proxy.example.com:3128[31m;
                              NO_PROXY lacks localhost
1 problem, 2 warnings; not tested here: stock/integration
`
	var out bytes.Buffer
	if err := newReport("v1", "/src/stock", sickLines()).Text(&out, visible); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
	for line := range strings.Lines(out.String()) {
		if len([]rune(strings.TrimSuffix(line, "\n"))) > columns {
			t.Errorf("wider than %d columns: %q", columns, line)
		}
	}
}

func TestDoctorJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := newReport("v1", "/src/stock", sickLines()).JSON(&out); err != nil {
		t.Fatal(err)
	}
	var r Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if r.State != Problem || len(r.Checks) != 6 || !cmp.Equal(r.NotTested, []string{"stock/integration"}) {
		t.Errorf("%+v", r)
	}
	if strings.Contains(out.String(), "hunter2") {
		t.Error("a password is shown")
	}
	out.Reset()
	if err := newReport("v1", "/", nil).JSON(&out); err != nil || !strings.Contains(out.String(), `"checks": []`) {
		t.Errorf("%v: %s", err, &out)
	}
}

// TestExamineDoesNotWait has a check that never comes back, and one that needs
// its time to the end.
func TestExamineDoesNotWait(t *testing.T) {
	t.Parallel()
	forever := make(chan struct{})
	defer close(forever)
	p := newTestPatient(t, "stock")
	begin := time.Now()
	lines := examine(t.Context(), 20*time.Millisecond, []check{
		{group: "a", name: "hangs", run: func(context.Context) []Finding { <-forever; return nil }, late: p.lateFor(p.Nodes[:1])},
		{group: "a", name: "unimportant", run: func(context.Context) []Finding { <-forever; return nil }},
		{group: "b", name: "obeys", run: func(ctx context.Context) []Finding {
			<-ctx.Done()
			return []Finding{{State: OK, Found: context.Cause(ctx).Error()}}
		}},
		{group: "b", name: "quick", run: func(context.Context) []Finding { return nil }},
	})
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if len(lines) != 3 || lines[0].State != Problem || lines[0].NotTested[0] != "stock/build" || lines[1].State != Warning ||
		lines[2].Found != "no answer within 20ms" || lines[2].Group != "b" || lines[2].Name != "obeys" {
		t.Errorf("%+v", lines)
	}
}

// newTestPatient is one whose services are in temporary folders, without a chart.
func newTestPatient(t *testing.T, names ...string) *patient {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		writeFile(t, filepath.Join(dir, name, "go.mod"), "module example.com/"+name+"\n\ngo 1.26\n")
		writeFile(t, filepath.Join(dir, name, "main.go"), "package main\n\nfunc main() {}\n")
	}
	services, err := config.Discover(dir)
	var none *config.NoService
	if err != nil && !errors.As(err, &none) {
		t.Fatal(err)
	}
	return newPatient(project(t, dir, services))
}

// project reads services as the command does.
func project(t *testing.T, dir string, services []*config.Service) Project {
	t.Helper()
	p := Project{
		Version: "v1", Dir: dir, Cache: filepath.Join(dir, "cache"), Services: services,
		Cluster: func(c config.Cluster) Cluster { return Cluster{Cluster: c} },
		Provider: func(c Cluster, cache string) (kindtest.Provider, error) {
			return kind.New(kind.Options{Cluster: c.Name, Image: c.NodeImage, CacheDir: cache, Log: io.Discard})
		},
		Branch: func(head gitrepo.Head) string { return head.Branch },
		Shown:  func(path string) string { return path },
	}
	var nodes []pipeline.Node
	for _, c := range services {
		provider, err := p.Provider(p.Cluster(c.Integration.Cluster), p.Cache)
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, stages.Nodes(stages.Options{Service: *c, Sources: source.Open(c.Dir), Cache: p.Cache, Provider: provider})...)
	}
	plan, err := pipeline.NewPlan(nodes)
	if err != nil {
		t.Fatal(err)
	}
	p.Nodes = plan.Nodes()
	return p
}

// visible removes what a terminal would obey.
func visible(s string) string { return strings.ReplaceAll(s, "\x1b", "") }

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestBlocked(t *testing.T) {
	t.Parallel()
	p := newTestPatient(t, "cart", "stock")
	of := func(kind string) []*pipeline.Node {
		return p.stagesOf(func(n *pipeline.Node) bool { return n.Kind == kind })
	}
	all := p.blocked(Finding{}, of("build"))
	if want := "not tested: build; skipped because of that: unit, lint, container, module, integration"; all.Consequence != want {
		// The order of the skipped follows the plan.
		if len(all.NotTested) != 2 || !strings.HasPrefix(all.Consequence, "not tested: build; skipped because of that: ") {
			t.Errorf("%+v", all)
		}
	}
	one := p.blocked(Finding{}, p.stagesOf(func(n *pipeline.Node) bool { return n.Name == "cart/integration" }))
	if one.Consequence != "not tested: cart/integration" || one.State != Problem {
		t.Errorf("%+v", one)
	}
	if l := p.blocked(Finding{}, of("bench")); l.State != Warning || l.NotTested != nil {
		t.Errorf("a stage on demand counts: %+v", l)
	}
	for _, n := range p.Nodes {
		n.Waive = &pipeline.Waiver{Reason: "moving", Until: time.Now().Add(time.Hour)}
	}
	if l := p.blocked(Finding{}, of("unit")); l.State != Warning {
		t.Errorf("a waived stage counts: %+v", l)
	}
}

func TestErrorLine(t *testing.T) {
	t.Parallel()
	cause := errors.New("first\n\n  second\n")
	for _, c := range []struct {
		err           error
		found, remedy string
	}{
		{&pipeline.NotTested{Why: "no Go", Remedy: "install it"}, "no Go", "install it"},
		{&kindtest.EnvironmentError{What: "no engine", Err: cause, Remedy: "start one"}, "no engine: first; second", "start one"},
		{&kindtest.PermissionError{Action: "list namespaces", Err: cause, Remedy: "ask"}, "not allowed to list namespaces: first; second", "ask"},
		{cause, "first; second", ""},
	} {
		if l := errorLine(c.err); l.Found != c.found || l.Remedy != c.remedy {
			t.Errorf("%+v, want %q and %q", l, c.found, c.remedy)
		}
	}
}

// TestDoctorChangesNothing runs all checks on a project and compares the files.
func TestDoctorChangesNothing(t *testing.T) {
	p := newTestPatient(t, "stock")
	t.Setenv("TMPDIR", t.TempDir())
	before := filesBelow(t, p.Dir, os.TempDir())
	lines := examine(t.Context(), checkTime, p.checks())
	if d := cmp.Diff(before, filesBelow(t, p.Dir, os.TempDir())); d != "" {
		t.Error(d)
	}
	names := map[string]bool{}
	for _, l := range lines {
		names[l.Name] = true
		if l.Group == "" || l.State.rank() < 0 || l.Found == "" || l.State == Problem && (l.Remedy == "" || l.Consequence == "") {
			t.Errorf("incomplete: %+v", l)
		}
	}
	for _, want := range []string{"pipeline", "service", "deployment", "go", "docker", "podman", "module runtime", "cluster", "registry", "forge", "disk", "folders", "open files", "proxy"} {
		if !names[want] {
			t.Errorf("nothing about %s in %v", want, names)
		}
	}
}

// TestHangingEngine has an engine that takes the question, does not answer, and
// cannot be asked to end. It takes 2.2 seconds; a busy machine may need longer.
func TestHangingEngine(t *testing.T) {
	bin := t.TempDir()
	for _, name := range []string{"sh", "sleep"} {
		file, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(file, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte("#!/bin/sh\ntrap '' TERM\nsleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	p := newTestPatient(t, "stock")
	begin := time.Now()
	r := newReport("v1", p.Dir, examine(t.Context(), checkTime, p.checks()))
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	for _, c := range r.Checks {
		if c.Name == "cluster" && (c.State != Problem || !strings.Contains(c.Found, "no answer within")) {
			t.Errorf("%+v", c)
		}
	}
}

func filesBelow(t *testing.T, dirs ...string) []string {
	t.Helper()
	var all []string
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			all = append(all, path)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestDeployment(t *testing.T) {
	t.Parallel()
	p := newTestPatient(t, "cart", "stock")
	if l := p.deployment(t.Context())[0]; l.State != Problem || len(l.NotTested) != 2 {
		t.Errorf("%+v", l)
	}
	p.Services[0].Chart = "chart"
	if l := p.deployment(t.Context())[0]; !cmp.Equal(l.NotTested, []string{"stock/integration"}) || !strings.HasPrefix(l.Found, "cart chart chart, stock nothing") {
		t.Errorf("%+v", l)
	}
	p.Services[1].Manifests = "deploy/k8s"
	if l := p.deployment(t.Context())[0]; l.State != OK {
		t.Errorf("%+v", l)
	}
}

func TestClustersAreLookedAtOnce(t *testing.T) {
	t.Parallel()
	p := newTestPatient(t, "cart", "stock", "web")
	if got := p.clusters(); len(got) != 1 || len(got[0].nodes) != 3 || !p.usesKind() {
		t.Errorf("%+v", got)
	}
	p.Services[1].Integration.Cluster = config.Cluster{Name: "own"}
	got := p.clusters()
	if len(got) != 2 || len(got[0].nodes) != 2 || got[1].command("up") != "`pipeline cluster up --cluster own`" {
		t.Errorf("%+v", got)
	}
	p.Cluster = func(c config.Cluster) Cluster {
		c.Provider, c.Context = "existing", "staging"
		return Cluster{Cluster: c}
	}
	if got := p.clusters(); p.usesKind() || !got[0].existing() {
		t.Errorf("%+v", got)
	}
}
