// Package engine runs images with the command lines of docker and podman.
//
// The image of the bundle is handed over as an archive on stdin, so that no
// registry is needed, and under a tag that no other run uses. What the engine
// then has must be that very image: its id, or its layers where the engine's
// store makes ids of its own, are compared. Containers get what the sandbox
// gives them: a read-only root, /tmp, volumes, no capabilities, and a loopback
// port of the host where one is wanted.
//
// Containers are labelled with run and node, tags begin with them: Sweep finds
// what a run has left that was killed.
package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// Engine is the command line of an engine.
type Engine string

// The engines that are known.
const (
	Docker Engine = "docker"
	Podman Engine = "podman"
)

const (
	runLabel   = "pipeline.run"
	nodeLabel  = "pipeline.node"
	repository = "pipeline.local/module"
)

const (
	probeTime = 3 * time.Second  // for an engine to answer at all
	cleanTime = 20 * time.Second // for one container or image to be removed
)

// Name returns the name of the command.
func (e Engine) Name() string { return string(e) }

// Installed reports whether the command is there; the engine may still not
// answer.
func (e Engine) Installed() bool {
	_, err := exec.LookPath(string(e))
	return err == nil
}

// Available asks the engine for its version, for three seconds at most.
func (e Engine) Available(ctx context.Context) (version string, err error) {
	if !e.Installed() {
		return "", fmt.Errorf("there is no %s in PATH", e)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, probeTime, fmt.Errorf("no answer within %v", probeTime))
	defer cancel()
	format := "{{.Server.Version}}"
	if e == Podman {
		format = "{{.Client.Version}}"
	}
	out, err := e.output(ctx, "version", "--format", format)
	if err != nil {
		return "", err
	}
	return string(e) + " " + out, nil
}

// command returns a command of the engine, with its output dropped.
func (e Engine) command(args ...string) proc.Cmd {
	return proc.Cmd{Args: append([]string{string(e)}, args...), Grace: time.Second}
}

func (e Engine) output(ctx context.Context, args ...string) (string, error) {
	out, err := e.command(args...).Output(ctx)
	return strings.TrimSpace(string(out)), err
}

// Sweep removes the containers, with their volumes, and the image tags of a
// node of a run; of the whole run when node is empty. An engine that does not
// answer has nothing to be removed.
func (e Engine) Sweep(ctx context.Context, run, node string) error {
	if _, err := e.Available(ctx); err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, cleanTime)
	defer cancel()
	return errors.Join(e.sweepContainers(ctx, run, node), e.sweepImages(ctx, run, node))
}

func (e Engine) sweepContainers(ctx context.Context, run, node string) error {
	args := []string{"ps", "--all", "--quiet", "--filter", "label=" + runLabel + "=" + run}
	if node != "" {
		args = append(args, "--filter", "label="+nodeLabel+"="+node)
	}
	out, err := e.output(ctx, args...)
	if err != nil || out == "" {
		return err
	}
	return e.command(append([]string{"rm", "--force", "--volumes"}, strings.Fields(out)...)...).Run(ctx)
}

func (e Engine) sweepImages(ctx context.Context, run, node string) error {
	out, err := e.output(ctx, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", repository)
	if err != nil {
		return err
	}
	var tags []string
	for _, tag := range strings.Fields(out) {
		if strings.HasPrefix(tag, repository+":"+tagPrefix(run, node)) {
			tags = append(tags, tag)
		}
	}
	if len(tags) == 0 {
		return nil
	}
	return e.command(append([]string{"image", "rm", "--force"}, tags...)...).Run(ctx)
}

// tagPrefix is how the tags for a node of a run begin, or all of the run. Ids
// may have characters that a tag must not have: their digests stand for them.
func tagPrefix(run, node string) string {
	prefix := evidence.Sum([]byte(run)).Short() + "-"
	if node != "" {
		prefix += evidence.Sum([]byte(node)).Short() + "-"
	}
	return prefix
}

// hostOf returns where published ports are reached, and the address to publish
// them on: loopback, unless the engine runs on another host, as it does with a
// "docker:dind" service.
func hostOf(e Engine) (host, publish string) {
	u, err := url.Parse(os.Getenv("DOCKER_HOST"))
	if e != Docker || err != nil || u.Scheme != "tcp" && u.Scheme != "ssh" {
		return "127.0.0.1", "127.0.0.1"
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
		return "127.0.0.1", "127.0.0.1"
	}
	return u.Hostname(), "0.0.0.0"
}
