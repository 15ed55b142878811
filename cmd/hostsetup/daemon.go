package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// readyTime is how long dockerd may take until it answers.
const readyTime = 90 * time.Second

// start starts dockerd and returns when it answers.
func (h host) start(ctx context.Context, raise bool) error {
	if err := h.writeConfig(ctx, raise); err != nil {
		return err
	}
	if err := h.remember(ctx); err != nil {
		return err
	}
	err := h.launch(ctx)
	if err == nil || ctx.Err() != nil {
		return err
	}
	// Kernels without nf_tables still have the older interface.
	if !nftFails(h.logTail()) || !installed("iptables-legacy") {
		return err
	}
	h.printf("the kernel does not take iptables' nf_tables variant: once more with iptables-legacy")
	if err := h.preferLegacy(); err != nil {
		return err
	}
	return h.launch(ctx)
}

// nftFails reports whether dockerd's log says that iptables-nft does not work
// here, which is a reason to try iptables-legacy.
func nftFails(log string) bool {
	return strings.Contains(log, "Failed to initialize nft") ||
		strings.Contains(log, "Could not fetch rule set generation id") ||
		strings.Contains(log, "nf_tables") && strings.Contains(log, "iptables failed")
}

func (h host) legacy() string { return filepath.Join(h.state, "legacy") }

// preferLegacy puts iptables-legacy first in our dockerd's PATH and leaves the
// system's alternative as it is.
func (h host) preferLegacy() error {
	if err := os.MkdirAll(h.legacy(), 0o755); err != nil {
		return err
	}
	for _, family := range []string{"iptables", "ip6tables"} {
		for _, suffix := range []string{"", "-save", "-restore"} {
			target, err := exec.LookPath(family + "-legacy" + suffix)
			if err != nil {
				return err
			}
			link := filepath.Join(h.legacy(), family+suffix)
			if err := os.Symlink(target, link); err != nil && !errors.Is(err, os.ErrExist) {
				return err
			}
		}
	}
	return nil
}

// launch starts dockerd in a session of its own, so that it outlives this
// process and no Ctrl-C reaches it, and waits until it answers.
func (h host) launch(ctx context.Context) error {
	if pid := h.pid(); pid > 0 {
		h.printf("dockerd runs already (pid %d) and does not answer yet", pid)
		return h.await(ctx, nil)
	}
	if err := h.clearStale(ctx); err != nil {
		return err
	}
	log, err := os.Create(h.log())
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	args := h.dockerdArgs()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.Env = h.daemonEnvironment(os.Environ())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	h.printf("starting dockerd (log: %s)", h.log())
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start dockerd: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	err = h.await(ctx, ended)
	if err != nil {
		_ = cmd.Process.Signal(syscall.SIGTERM)
	}
	return err
}

// clearStale removes what keeps a new dockerd from starting after one that died
// without cleaning up: pid files, whose numbers it believes, and a containerd.
func (h host) clearStale(ctx context.Context) error {
	limit, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	ended := gone(limit, func() bool {
		left := h.processes(func(cmdline, _ string) bool { return isContainerd(cmdline, h.run) })
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		return len(left) == 0
	})
	if !ended {
		return fmt.Errorf("the containerd of a dockerd that died does not end; run `make host-down`")
	}
	for _, file := range []string{h.pidFile(), filepath.Join(h.execRoot(), "containerd", "containerd.pid")} {
		if err := os.RemoveAll(file); err != nil {
			return err
		}
	}
	return nil
}

// daemonEnvironment drops what must not outlive a run in a process that does:
// the mark by which a run finds its strays, and the caller's own engine.
func (h host) daemonEnvironment(environ []string) []string {
	env := slices.DeleteFunc(slices.Clone(environ), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return name == proc.RunVariable || strings.HasPrefix(name, "DOCKER_")
	})
	path := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	if _, err := os.Stat(h.legacy()); err == nil {
		path = h.legacy() + ":" + path
	}
	return append(env, "PATH="+path)
}

// await polls until dockerd answers, has ended, or the time is up. A nil
// channel never reports an end.
func (h host) await(ctx context.Context, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !h.answers(ctx) {
		select {
		case err := <-ended:
			return h.failure(fmt.Sprintf("dockerd ended (%v)", err))
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return context.Cause(ctx)
			}
			return h.failure(fmt.Sprintf("dockerd did not answer within %v", readyTime))
		case <-tick.C:
		}
	}
	return nil
}

func (h host) failure(what string) error {
	return fmt.Errorf("%s; the end of its log, %s:\n%s", what, h.log(), h.logTail())
}

// logTail returns the end of dockerd's log without what is not a problem.
func (h host) logTail() string {
	raw, err := os.ReadFile(h.log())
	if err != nil {
		return err.Error()
	}
	return tail(string(raw), 20)
}

func tail(log string, lines int) string {
	all := strings.Split(strings.TrimSpace(log), "\n")
	all = slices.DeleteFunc(all, func(l string) bool {
		return strings.Contains(l, "level=info") || strings.Contains(l, "level=debug")
	})
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
