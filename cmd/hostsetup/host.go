package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

const (
	stateVariable = "PIPELINE_HOST_STATE"
	defaultState  = "/var/lib/pipeline-host"
	defaultRun    = "/run/pipeline-host"
	// marker makes a folder recognisable as ours, so that down never removes
	// what a mistyped variable points at.
	marker = ".pipeline-host"
	// probeTime bounds one question to an engine.
	probeTime = 10 * time.Second
)

// host is the machine and the places where this program keeps things on it.
type host struct {
	state string // survives a reboot: data, configuration, programs
	run   string // does not: sockets, pid file
	say   io.Writer
}

func newHost(state string, say io.Writer) host {
	if state == "" || state == defaultState {
		return host{state: defaultState, run: defaultRun, say: say}
	}
	if abs, err := filepath.Abs(state); err == nil {
		state = abs
	}
	return host{state: state, run: filepath.Join(state, "run"), say: say}
}

func (h host) socket() string         { return filepath.Join(h.run, "docker.sock") }
func (h host) dockerHost() string     { return "unix://" + h.socket() }
func (h host) pidFile() string        { return filepath.Join(h.run, "docker.pid") }
func (h host) execRoot() string       { return filepath.Join(h.run, "docker") }
func (h host) data() string           { return filepath.Join(h.state, "docker") }
func (h host) config() string         { return filepath.Join(h.state, "daemon.json") }
func (h host) log() string            { return filepath.Join(h.state, "dockerd.log") }
func (h host) shim() string           { return filepath.Join(h.state, "bin", "runc-shim") }
func (h host) containersConf() string { return filepath.Join(h.state, "containers.conf") }
func (h host) before() string         { return filepath.Join(h.state, "before.json") }

func (h host) printf(format string, args ...any) {
	fmt.Fprintf(h.say, "hostsetup: "+format+"\n", args...)
}

// facts asks the host. It changes nothing.
func (h host) facts(ctx context.Context) facts {
	status, _ := os.ReadFile("/proc/self/status")
	return facts{
		docker: answers(ctx, nil, "docker", "info"),
		own:    h.answers(ctx),
		podman: answers(ctx, nil, "podman", "info"),
		root:   os.Geteuid() == 0,
		debian: installed("apt-get"),
		raise:  mayRaise(string(status)),
	}
}

// answers reports whether the dockerd of this program is ready.
func (h host) answers(ctx context.Context) bool {
	if _, err := os.Stat(h.socket()); err != nil {
		return false
	}
	return answers(ctx, []string{"DOCKER_HOST=" + h.dockerHost(), "DOCKER_CONTEXT="}, "docker", "info")
}

func answers(ctx context.Context, env []string, args ...string) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	return proc.Cmd{Args: args, Env: env}.Run(ctx) == nil
}

// installed looks for a program in PATH, or for a file by its absolute path.
func installed(program string) bool {
	if filepath.IsAbs(program) {
		_, err := os.Stat(program)
		return err == nil
	}
	_, err := exec.LookPath(program)
	return err == nil
}

// up makes an engine answer and installs what else is asked for. It returns
// what a child needs in its environment.
func (h host) up(ctx context.Context, with []string) ([]string, error) {
	if len(with) == 0 && answers(ctx, nil, "docker", "info") {
		return nil, nil
	}
	p, err := h.plan(ctx, with)
	if err != nil {
		return nil, err
	}
	if p.choice == startOwn || len(p.packages) > 0 {
		if err := h.apply(ctx, with); err != nil {
			return nil, err
		}
		if p, err = h.plan(ctx, with); err != nil {
			return nil, err
		}
	}
	return h.environment(ctx, p, with)
}

// plan is what has to be done on a host.
type plan struct {
	choice   choice
	packages []string
	raise    bool
}

func (h host) plan(ctx context.Context, with []string) (plan, error) {
	f := h.facts(ctx)
	if ctx.Err() != nil {
		return plan{}, context.Cause(ctx)
	}
	c, err := decide(f)
	if err != nil {
		return plan{}, err
	}
	p := plan{choice: c, packages: packages(c, with, installed), raise: f.raise}
	return p, mayInstall(f, p.packages)
}

// apply changes the host, one hostsetup at a time. It plans anew: while it
// waited, another one may have done it all.
func (h host) apply(ctx context.Context, with []string) error {
	unlock, err := h.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	p, err := h.plan(ctx, with)
	if err != nil {
		return err
	}
	if err := h.install(ctx, p.packages); err != nil {
		return err
	}
	if p.choice != startOwn {
		return nil
	}
	if !installed("docker") { // newer releases have the client in a package of its own
		if err := h.install(ctx, []string{"docker-cli"}); err != nil {
			return err
		}
	}
	if err := h.start(ctx, p.raise); err != nil {
		return err
	}
	h.printf("dockerd runs; it stays for the next time, `make host-down` stops it and removes its data")
	return nil
}

func (h host) environment(ctx context.Context, p plan, with []string) ([]string, error) {
	var env []string
	if p.choice == useOwn {
		env = append(env, "DOCKER_HOST="+h.dockerHost())
	}
	if slices.Contains(with, "podman") && !p.raise {
		if err := h.preparePodman(ctx); err != nil {
			return nil, err
		}
		env = append(env, "CONTAINERS_CONF="+h.containersConf())
	}
	return env, nil
}

// status prints which engine answers.
func (h host) status(ctx context.Context) error {
	f := h.facts(ctx)
	if pid := h.pid(); pid > 0 {
		fmt.Printf("own dockerd: pid %d, DOCKER_HOST=%s, answers: %v, log: %s\n", pid, h.dockerHost(), f.own, h.log())
	} else {
		fmt.Println("own dockerd: not running")
	}
	fmt.Printf("docker answers: %v\npodman answers: %v\n", f.docker, f.podman)
	if f.docker || f.own || f.podman {
		return nil
	}
	_, err := decide(f)
	return err
}
