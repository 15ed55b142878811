package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
)

// sickLines have each state, long texts, a command that must not be broken, and
// a password.
func sickLines() []doctorLine {
	return []doctorLine{
		{Group: "project", Name: "service", State: doctorOK, Found: "stock (.)"},
		{Group: "tools", Name: "docker", State: doctorWarning, Found: "does not answer: permission denied", Consequence: "podman is used instead", Remedy: "`sudo usermod -aG docker \"$USER\"` and log in again (the members of this group can become root)"},
		{Group: "tools", Name: "module runtime", State: doctorOK, Found: "sandbox (user namespaces)"},
		{Group: "cluster", Name: "cluster", State: doctorProblem, Found: "no container engine answers: none of docker, podman and nerdctl is installed", Consequence: "not tested: integration", Remedy: "start docker or podman, or set DOCKER_HOST", NotTested: []string{"stock/integration"}},
		{Group: "release", Name: "registry", State: doctorNotNeeded, Found: "release.registry is not set"},
		{Group: "machine", Name: "proxy", State: doctorWarning, Found: "HTTPS_PROXY=http://jane:hunter2@proxy.example.com:3128\x1b[31m; NO_PROXY lacks localhost"},
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
	if err := newDoctorReport("/src/stock", sickLines()).text(&out); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
	for line := range strings.Lines(out.String()) {
		if len([]rune(strings.TrimSuffix(line, "\n"))) > doctorColumns {
			t.Errorf("wider than %d columns: %q", doctorColumns, line)
		}
	}
}

func TestDoctorJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := newDoctorReport("/src/stock", sickLines()).json(&out); err != nil {
		t.Fatal(err)
	}
	var r doctorReport
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if r.State != doctorProblem || len(r.Checks) != 6 || !cmp.Equal(r.NotTested, []string{"stock/integration"}) {
		t.Errorf("%+v", r)
	}
	if strings.Contains(out.String(), "hunter2") {
		t.Error("a password is shown")
	}
	out.Reset()
	if err := newDoctorReport("/", nil).json(&out); err != nil || !strings.Contains(out.String(), `"checks": []`) {
		t.Errorf("%v: %s", err, &out)
	}
}

// TestExamineDoesNotWait has a check that never comes back, and one that needs
// its time to the end.
func TestExamineDoesNotWait(t *testing.T) {
	t.Parallel()
	forever := make(chan struct{})
	defer close(forever)
	p := patient(t, "stock")
	begin := time.Now()
	lines := examine(t.Context(), 20*time.Millisecond, []doctorCheck{
		{group: "a", name: "hangs", run: func(context.Context) []doctorLine { <-forever; return nil }, late: p.lateFor(p.nodes[:1])},
		{group: "a", name: "unimportant", run: func(context.Context) []doctorLine { <-forever; return nil }},
		{group: "b", name: "obeys", run: func(ctx context.Context) []doctorLine {
			<-ctx.Done()
			return []doctorLine{{State: doctorOK, Found: context.Cause(ctx).Error()}}
		}},
		{group: "b", name: "quick", run: func(context.Context) []doctorLine { return nil }},
	})
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if len(lines) != 3 || lines[0].State != doctorProblem || lines[0].NotTested[0] != "stock/build" || lines[1].State != doctorWarning ||
		lines[2].Found != "no answer within 20ms" || lines[2].Group != "b" || lines[2].Name != "obeys" {
		t.Errorf("%+v", lines)
	}
}

// patient is one whose services are in temporary folders, without a chart.
func patient(t *testing.T, names ...string) *doctorPatient {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		writeFile(t, filepath.Join(dir, name, "go.mod"), "module example.com/"+name+"\n\ngo 1.26\n")
		writeFile(t, filepath.Join(dir, name, "main.go"), "package main\n\nfunc main() {}\n")
	}
	p, err := newDoctorPatient(&doctorFlags{dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	p.cache, p.cacheErr = filepath.Join(dir, "cache"), nil
	return p
}

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
	p := patient(t, "cart", "stock")
	of := func(kind string) []*pipeline.Node {
		return p.stagesOf(func(n *pipeline.Node) bool { return n.Kind == kind })
	}
	all := p.blocked(doctorLine{}, of("build"))
	if want := "not tested: build; skipped because of that: unit, lint, container, module, integration"; all.Consequence != want {
		// The order of the skipped follows the plan.
		if len(all.NotTested) != 2 || !strings.HasPrefix(all.Consequence, "not tested: build; skipped because of that: ") {
			t.Errorf("%+v", all)
		}
	}
	one := p.blocked(doctorLine{}, p.stagesOf(func(n *pipeline.Node) bool { return n.Name == "cart/integration" }))
	if one.Consequence != "not tested: cart/integration" || one.State != doctorProblem {
		t.Errorf("%+v", one)
	}
	if l := p.blocked(doctorLine{}, of("bench")); l.State != doctorWarning || l.NotTested != nil {
		t.Errorf("a stage on demand counts: %+v", l)
	}
	for _, n := range p.nodes {
		n.Waive = &pipeline.Waiver{Reason: "moving", Until: time.Now().Add(time.Hour)}
	}
	if l := p.blocked(doctorLine{}, of("unit")); l.State != doctorWarning {
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
	p := patient(t, "stock")
	t.Setenv("TMPDIR", t.TempDir())
	before := filesBelow(t, p.dir, os.TempDir())
	lines := examine(t.Context(), doctorTime, p.checks())
	if d := cmp.Diff(before, filesBelow(t, p.dir, os.TempDir())); d != "" {
		t.Error(d)
	}
	names := map[string]bool{}
	for _, l := range lines {
		names[l.Name] = true
		if l.Group == "" || l.State.rank() < 0 || l.Found == "" || l.State == doctorProblem && (l.Remedy == "" || l.Consequence == "") {
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
	p := patient(t, "stock")
	begin := time.Now()
	r := newDoctorReport(p.dir, examine(t.Context(), doctorTime, p.checks()))
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	for _, c := range r.Checks {
		if c.Name == "cluster" && (c.State != doctorProblem || !strings.Contains(c.Found, "no answer within")) {
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
	p := patient(t, "cart", "stock")
	if l := p.deployment(t.Context())[0]; l.State != doctorProblem || len(l.NotTested) != 2 {
		t.Errorf("%+v", l)
	}
	p.services[0].Chart = "chart"
	if l := p.deployment(t.Context())[0]; !cmp.Equal(l.NotTested, []string{"stock/integration"}) || !strings.HasPrefix(l.Found, "cart chart chart, stock nothing") {
		t.Errorf("%+v", l)
	}
	p.services[1].Manifests = "deploy/k8s"
	if l := p.deployment(t.Context())[0]; l.State != doctorOK {
		t.Errorf("%+v", l)
	}
}

func TestClustersAreLookedAtOnce(t *testing.T) {
	t.Parallel()
	p := patient(t, "cart", "stock", "web")
	if got := p.clusters(); len(got) != 1 || len(got[0].nodes) != 3 || !p.usesKind() {
		t.Errorf("%+v", got)
	}
	p.services[1].Integration.Cluster = config.Cluster{Name: "own"}
	got := p.clusters()
	if len(got) != 2 || len(got[0].nodes) != 2 || got[1].command("up") != "`pipeline cluster up --cluster own`" {
		t.Errorf("%+v", got)
	}
	p.flags.context = "staging"
	if got := p.clusters(); p.usesKind() || !got[0].existing() {
		t.Errorf("%+v", got)
	}
}
