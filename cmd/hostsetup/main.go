// Command hostsetup gives a bare Debian or Ubuntu machine the container engine
// that the demo and the tests need, and takes it away again. It is a program of
// the repository, called by make, and no part of the pipeline binary.
//
//	hostsetup exec [--with podman,registry,completion,skopeo,node,rsync] -- COMMAND ARG...
//	hostsetup up [--with podman,registry,completion,skopeo,node,rsync]
//	hostsetup status
//	hostsetup down
//
// Where an engine answers already, it does nothing. Otherwise, and only as
// root, it installs the distribution's docker.io and starts a dockerd of its
// own with its own configuration, data, socket and pid file below one state
// folder (/var/lib/pipeline-host, or $PIPELINE_HOST_STATE). It never writes to
// /etc/docker and never touches another dockerd. On a host whose bounding set
// lacks CAP_SYS_RESOURCE the dockerd runs containers through an OCI runtime
// that cuts what they ask for down to what the host can give.
//
// exec sets DOCKER_HOST and becomes COMMAND, so that signals and the exit code
// are the command's own; dockerd stays for the next time. down removes
// everything but the installed packages.
//
// Exit codes: 0 done; 2 wrong usage; 3 this host has no engine and cannot get
// one this way; 130 interrupted; with exec those of COMMAND.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	c, err := parse(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "hostsetup: %v\n%s", err, usage)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	h := newHost(os.Getenv(stateVariable), os.Stderr)
	switch c.verb {
	case "up":
		var env []string
		if env, err = h.up(ctx, c.with); err == nil {
			printExports(env)
		}
	case "exec":
		err = h.exec(ctx, c)
	case "down":
		err = h.down(ctx)
	case "status":
		err = h.status(ctx)
	}
	return exitCode(ctx, err)
}

// exitCode reports the error and chooses the exit code that goes with it.
func exitCode(ctx context.Context, err error) int {
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "hostsetup: interrupted")
		return 130
	}
	fmt.Fprintf(os.Stderr, "hostsetup: %v\n", err)
	return 3
}

func printExports(env []string) {
	for _, e := range env {
		fmt.Printf("export %s\n", e)
	}
}

// exec makes the engine ready and becomes the command. It returns only when
// that fails.
func (h host) exec(ctx context.Context, c call) error {
	env, err := h.up(ctx, c.with)
	if err != nil {
		return err
	}
	path, err := exec.LookPath(c.command[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return err
	}
	return syscall.Exec(path, c.command, append(os.Environ(), env...))
}
