package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// pid returns the process id of our dockerd, 0 when it does not run. The pid
// file alone proves nothing: after a crash its number may be anybody's.
func (h host) pid() int {
	raw, err := os.ReadFile(h.pidFile())
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil || pid <= 1 {
		return 0
	}
	cmdline, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil || !isDockerd(string(cmdline), h.config()) {
		return 0
	}
	return pid
}

// isDockerd reports whether a command line, as /proc/PID/cmdline has it, is a
// dockerd with the given configuration file.
func isDockerd(cmdline, config string) bool {
	args := strings.Split(strings.TrimRight(cmdline, "\x00"), "\x00")
	if filepath.Base(args[0]) != "dockerd" {
		return false
	}
	i := slices.Index(args, "--config-file")
	return i >= 0 && i+1 < len(args) && args[i+1] == config
}

// isContainerd reports whether a command line is the containerd that our
// dockerd starts, known by a path below run.
func isContainerd(cmdline, run string) bool {
	args := strings.Split(cmdline, "\x00")
	return filepath.Base(args[0]) == "containerd" && anyBelow(args[1:], run)
}

// isShim likewise for the process that containerd starts for each container.
func isShim(cmdline, run string) bool {
	args := strings.Split(cmdline, "\x00")
	return strings.HasPrefix(filepath.Base(args[0]), "containerd-shim") && anyBelow(args[1:], run)
}

func anyBelow(args []string, folder string) bool {
	return slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, folder+"/") })
}

// inContainer reports whether the text of /proc/PID/cgroup places the process
// in one of the containers.
func inContainer(cgroup string, ids []string) bool {
	return slices.ContainsFunc(ids, func(id string) bool {
		return strings.Contains(cgroup, "/docker/"+id) || strings.Contains(cgroup, "/docker-"+id+".scope")
	})
}

// leftProcesses returns the processes of a dockerd that died: its containerd,
// the shims, and whatever its containers ran.
func (h host) leftProcesses() []int {
	var ids []string
	entries, _ := os.ReadDir(filepath.Join(h.data(), "containers"))
	for _, e := range entries {
		ids = append(ids, e.Name())
	}
	return h.processes(func(cmdline, cgroup string) bool {
		return isContainerd(cmdline, h.run) || isShim(cmdline, h.run) || inContainer(cgroup, ids)
	})
}

// processes returns the processes whose /proc/PID/cmdline and /proc/PID/cgroup
// match, this one excepted.
func (h host) processes(match func(cmdline, cgroup string) bool) []int {
	folders, _ := filepath.Glob("/proc/[0-9]*")
	var pids []int
	for _, dir := range folders {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() {
			continue
		}
		cmdline, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil || len(cmdline) == 0 {
			continue // it has ended, or is a part of the kernel
		}
		cgroup, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
		if match(string(cmdline), string(cgroup)) {
			pids = append(pids, pid)
		}
	}
	return pids
}
