package module_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/module"
	"gitlab.com/selfcontained/pipeline/stages/module/engine"
	"gitlab.com/selfcontained/pipeline/stages/module/moduletest"
	"gitlab.com/selfcontained/pipeline/stages/module/sandbox"
)

// programs are compiled once for all tests.
var programs moduletest.Programs

func TestMain(m *testing.M) {
	if sandbox.IsInit(os.Args) {
		os.Exit(sandbox.Main())
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("/tmp", "module-test-")
	if err == nil {
		defer os.RemoveAll(dir)
		programs, err = moduletest.Compile(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// job returns a job of its own for the outputs of a container stage.
func job(t *testing.T, service, container string, log *bytes.Buffer) *pipeline.Job {
	t.Helper()
	dir := func(name string) string {
		d := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
		return d
	}
	node := &pipeline.Node{Name: "stock/module", Service: "stock", Kind: "module", Dir: service}
	needs := map[string]string{}
	if container != "" {
		needs["container"] = container
	}
	return pipeline.NewJob(node, t.Name(), service, dir("out"), dir("kept"), dir("scratch"), log, needs)
}

// service writes a service's folder.
func service(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// runtimes returns those that work here, by name.
func runtimes(t *testing.T) []string {
	t.Helper()
	var names []string
	if _, err := sandbox.Choose(t.Context(), t.TempDir()); err == nil {
		names = append(names, "sandbox")
	} else {
		t.Log("sandbox:", err)
	}
	for _, e := range []engine.Engine{engine.Docker, engine.Podman} {
		if _, err := e.Available(t.Context()); err == nil {
			names = append(names, e.Name())
		} else {
			t.Log(e.Name()+":", err)
		}
	}
	return names
}

type behaviour struct {
	name    string
	variant string
	program string // default: the static one
	change  func(*v1.Config)
	set     config.Stage
	version string
	summary string // of the failure; empty: green
	cause   []string
	states  string // of the checks, in order: p, f, s
}

func behaviours() []behaviour {
	return []behaviour{
		{name: "good", states: "pppppsp"},
		{name: "good http", set: config.Stage{Ready: "http:/healthz", Port: 8080}, states: "pppppsp"},
		{name: "arguments", set: config.Stage{Args: []string{"-port", "7070"}, Port: 7070}, states: "pppppsp"},
		{name: "no dry run", variant: "no-dry-run", states: "pppspsp"},
		{
			name: "panics at start", variant: "panics", states: "pf",
			summary: "entrypoint --help: the program does not start: exit code 2",
			cause:   []string{"flag redefined: port", "panic: "},
		},
		{
			name: "missing file", variant: "missing-file", states: "pppff",
			summary: "2 checks failed: dry run, ready",
			cause:   []string{"open /etc/stock/config.yaml: no such file or directory"},
		},
		{
			name: "never ready", variant: "never-ready", states: "ppppf",
			summary: "ready: not ready within 1s (tcp, port 8080)",
			cause:   []string{"the last answer of port 8080 was"},
		},
		{
			name: "not healthy", set: config.Stage{Ready: "http:/nothing"}, states: "ppppf",
			summary: "ready: not ready within 1s (http:/nothing, port 8080)", cause: []string{"404 Not Found", "listening on 8080"},
		},
		{
			name: "exits", variant: "exits", states: "ppppf",
			summary: "ready: the program ended before it was ready: exit code 3", cause: []string{"no database"},
		},
		{
			name: "ignores SIGTERM", variant: "ignores-sigterm", set: config.Stage{Stop: 300 * time.Millisecond}, states: "pppppsf",
			summary: "SIGTERM: still running 300ms after SIGTERM", cause: []string{"ignoring SIGTERM"},
		},
		{
			name: "exits badly", variant: "exits-badly", states: "pppppsf",
			summary: "SIGTERM: after SIGTERM: exit code 4", cause: []string{"listening on 8080"},
		},
		{
			name: "wrong version", version: "0.1.0", states: "ppfppsp",
			summary: "version: --version does not say 0.1.0", cause: []string{"printed:  stock " + moduletest.Version},
		},
		{
			name: "dry run listens", variant: "dry-run-listens", states: "pppfpsp",
			summary: "dry run: the dry run listens", cause: []string{"port 8080 answers"},
		},
		{
			name: "no interpreter", program: programs.Dynamic, states: "f",
			summary: "entrypoint: the entrypoint cannot be started", cause: []string{"/stock: needs the interpreter /lib", "which the image lacks"},
		},
		{
			name: "no entrypoint file", change: func(c *v1.Config) { c.Entrypoint = []string{"/bin/stock"} }, states: "f",
			summary: "entrypoint: the entrypoint cannot be started", cause: []string{"/bin/stock: no such file in the image"},
		},
		{
			name: "no entrypoint", change: func(c *v1.Config) { c.Entrypoint = nil }, states: "f",
			summary: "entrypoint: the image has no entrypoint",
		},
		{name: "no port", change: func(c *v1.Config) { c.ExposedPorts = nil }, states: "ppppssp"},
		{name: "command only", change: func(c *v1.Config) { c.Entrypoint, c.Cmd = nil, []string{"/stock", "-port", "8080"} }, states: "pppppsp"},
	}
}

// TestBehaviour makes every kind of image run in every runtime that works
// here: the verdicts must be the same.
func TestBehaviour(t *testing.T) {
	for _, runtime := range runtimes(t) {
		for i, b := range behaviours() {
			if (runtime == "podman" || testing.Short()) && i%5 != 0 {
				continue // some will do: podman differs from docker by its name
			}
			t.Run(runtime+"/"+b.name, func(t *testing.T) {
				if runtime != "podman" { // its store is not up to the same image coming and going
					t.Parallel()
				}
				b.run(t, runtime)
			})
		}
	}
}

func (b behaviour) run(t *testing.T, runtime string) {
	if b.program == "" {
		b.program = programs.Static
	}
	b.set.Runtime = runtime
	dir := service(t, map[string]string{"go.mod": "module example.com/stock\n"})
	container := moduletest.Bundle(t, moduletest.Image(t, b.program, b.variant, b.change))
	var log bytes.Buffer
	j := job(t, dir, container, &log)
	stage := module.New(module.Options{
		Service: "stock", Dir: dir, Settings: b.set, Version: b.version, Sources: source.Open(dir),
		Limits: module.Limits{Ready: b.readyLimit()},
	})
	err := stage.Run(t.Context(), j)
	if err := stage.Clean(t.Context(), j); err != nil {
		t.Errorf("Clean: %v", err)
	}
	if diff := cmp.Diff(b.states, states(j.Findings)); diff != "" {
		t.Errorf("checks (-want +got):\n%s\n%s", diff, log.String())
	}
	checkFailure(t, err, b)
	if t.Failed() {
		t.Log(log.String())
	}
}

// readyLimit is short only where it is waited for.
func (b behaviour) readyLimit() time.Duration {
	if strings.Contains(b.summary, "within 1s") {
		return time.Second
	}
	return 0
}

func checkFailure(t *testing.T, err error, b behaviour) {
	t.Helper()
	if b.summary == "" {
		if err != nil {
			t.Fatalf("Run: %v", err)
		}
		return
	}
	var failure *pipeline.Failure
	if !errors.As(err, &failure) {
		t.Fatalf("Run: %v, want a failure", err)
	}
	if failure.Summary != b.summary {
		t.Errorf("summary %q, want %q", failure.Summary, b.summary)
	}
	for _, want := range b.cause {
		if !strings.Contains(failure.Cause, want) {
			t.Errorf("cause lacks %q:\n%s", want, failure.Cause)
		}
	}
	if n := strings.Count(failure.Cause, "\n") + 1; n > 24 {
		t.Errorf("cause has %d lines", n)
	}
}

func states(f *pipeline.Findings) string {
	var b strings.Builder
	for _, t := range f.Tests {
		if t.Package == module.Kind {
			b.WriteByte(t.Status[0])
		}
	}
	return b.String()
}
