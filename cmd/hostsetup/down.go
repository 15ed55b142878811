package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// stopTime is how long dockerd may take to end after SIGTERM.
const stopTime = 30 * time.Second

// down stops our dockerd and removes everything that it and this program made
// on the host, installed packages excepted. It can be run again after a
// failure, and after dockerd has died.
func (h host) down(ctx context.Context) error {
	if !h.claimed() {
		h.printf("nothing to remove: %s is not there", h.state)
		return nil
	}
	if os.Geteuid() != 0 {
		return errors.New("only root can stop dockerd and remove its data: run this again as root")
	}
	unlock, err := h.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if h.answers(ctx) {
		h.empty(ctx)
	}
	if err := h.stop(ctx); err != nil {
		return err
	}
	if err := h.killLeft(ctx); err != nil {
		return err
	}
	if err := h.restore(ctx); err != nil {
		return err
	}
	return h.removeFolders()
}

// empty removes containers and networks while dockerd can do it itself: it
// takes their bridges and rules away with them.
func (h host) empty(ctx context.Context) {
	steps := []struct{ what, list, remove []string }{
		{[]string{"container"}, []string{"ps", "-aq"}, []string{"rm", "-f", "-v"}},
		{[]string{"network"}, []string{"network", "ls", "-q", "--filter", "type=custom"}, []string{"network", "rm"}},
	}
	for _, s := range steps {
		out, err := h.docker(s.list...).Output(ctx)
		ids := strings.Fields(string(out))
		if err != nil || len(ids) == 0 {
			continue
		}
		if err := h.docker(append(s.remove, ids...)...).Run(ctx); err != nil {
			h.printf("%v", err)
			continue
		}
		h.printf("removed %d %s(s)", len(ids), s.what[0])
	}
}

func (h host) docker(args ...string) proc.Cmd {
	return proc.Cmd{
		Args: append([]string{"docker"}, args...),
		Env:  []string{"DOCKER_HOST=" + h.dockerHost(), "DOCKER_CONTEXT="},
	}
}

// stop ends dockerd, which ends its containerd.
func (h host) stop(ctx context.Context) error {
	pid := h.pid()
	if pid == 0 {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop dockerd (pid %d): %w", pid, err)
	}
	limit, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	if !gone(limit, func() bool { return h.pid() != pid }) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	h.printf("stopped dockerd (pid %d)", pid)
	return nil
}

// killLeft ends what a dockerd leaves behind that did not end in good order.
func (h host) killLeft(ctx context.Context) error {
	killed := 0
	limit, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	ended := gone(limit, func() bool {
		left := h.leftProcesses()
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		killed = max(killed, len(left))
		return len(left) == 0
	})
	if !ended {
		return fmt.Errorf("processes of %s do not end: %v", h.run, h.leftProcesses())
	}
	if killed > 0 {
		h.printf("ended %d process(es) that a dead dockerd had left", killed)
	}
	return nil
}

// gone polls until the condition holds; false when ctx ended first.
func gone(ctx context.Context, condition func() bool) bool {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}

// restore takes back what dockerd changed outside our folders: bridges,
// iptables rules, forwarding, and the folders whose place is fixed.
func (h host) restore(ctx context.Context) error {
	before, err := h.recall()
	if errors.Is(err, os.ErrNotExist) {
		return nil // dockerd was never started
	}
	if err != nil {
		return err
	}
	now, err := h.look(ctx)
	if err != nil {
		return err
	}
	for _, link := range bridges(before.Links, now.Links) {
		if err := removeBridge(link); err != nil {
			return fmt.Errorf("remove network interface %s: %w", link, err)
		}
		h.printf("removed network interface %s", link)
	}
	h.restoreRules(ctx, before.Rules, now.Rules)
	if err := restoreForward(before.Forward, now.Forward); err != nil {
		return err
	}
	for _, folder := range added(before.Folders, now.Folders) {
		if engineInUse() {
			continue
		}
		if err := os.RemoveAll(folder); err != nil {
			return err
		}
		h.printf("removed %s", folder)
	}
	return nil
}

// engineInUse reports whether the distribution's own containerd or dockerd has
// been started meanwhile: the folders are its own then.
func engineInUse() bool {
	for _, socket := range []string{"/run/containerd/containerd.sock", "/run/docker.sock"} {
		if _, err := os.Stat(socket); err == nil {
			return true
		}
	}
	return false
}

// restoreRules goes on after a failure: a rule may have gone meanwhile.
func (h host) restoreRules(ctx context.Context, before, now map[string]string) {
	undone := 0
	for _, save := range saveCommands() {
		for _, args := range undoRules(before[save], now[save]) {
			command := append([]string{strings.TrimSuffix(save, "-save"), "-w"}, args...)
			if err := (proc.Cmd{Args: command}).Run(ctx); err != nil {
				h.printf("%v", err)
				continue
			}
			undone++
		}
	}
	if undone > 0 {
		h.printf("took back %d iptables rules and chains", undone)
	}
}

func restoreForward(before, now map[string]string) error {
	for file, value := range before {
		if now[file] != value {
			if err := os.WriteFile(file, []byte(value), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeFolders unmounts what is mounted below our folders, deepest first, and
// removes them.
func (h host) removeFolders() error {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for _, m := range mountsBelow(string(info), h.state, h.run) {
		if err := unmount(m); err != nil {
			return fmt.Errorf("unmount %s: %w", m, err)
		}
	}
	for _, folder := range []string{h.run, h.state} {
		if err := os.RemoveAll(folder); err != nil {
			return err
		}
		h.printf("removed %s", folder)
	}
	h.printf("installed packages stay; `apt-get purge docker.io` removes Docker")
	return nil
}

// mountsBelow returns the mount points below the folders from the text of
// /proc/self/mountinfo (proc(5)), the last mounted first.
func mountsBelow(info string, folders ...string) []string {
	var out []string
	for line := range strings.Lines(info) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		point := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\134`, `\`).Replace(f[4])
		for _, folder := range folders {
			if strings.HasPrefix(point, folder+"/") {
				out = append(out, point)
				break
			}
		}
	}
	slices.Reverse(out)
	return out
}
