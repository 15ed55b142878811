package main

import (
	"fmt"
	"strconv"
	"strings"
)

// facts is what is known about a host before anything is changed.
type facts struct {
	docker bool // the docker client reaches an engine as things stand
	own    bool // the dockerd of this program answers
	podman bool // podman is installed and answers
	root   bool
	debian bool // apt-get is there
	raise  bool // CAP_SYS_RESOURCE is in the bounding set
}

// choice is where containers will run.
type choice int

const (
	useDocker choice = iota + 1
	useOwn
	usePodman
	startOwn // install what is missing, then start a dockerd
)

// hostError tells that the host has no engine and cannot be given one.
type hostError struct{ why string }

func (e *hostError) Error() string {
	return "no container engine answers, and " + e.why +
		"; install Docker or podman by hand (Debian, Ubuntu: apt-get install docker.io iptables), start it, and run this again"
}

// decide chooses the engine. An engine of the user's own goes before ours, and
// ours before podman; where CAP_SYS_RESOURCE is missing, podman answers but can
// start no container without help, so that it does not count.
func decide(f facts) (choice, error) {
	switch {
	case f.docker:
		return useDocker, nil
	case f.own:
		return useOwn, nil
	case f.podman && f.raise:
		return usePodman, nil
	case !f.debian:
		return 0, &hostError{"this is not a Debian or Ubuntu"}
	case !f.root:
		return 0, &hostError{"only root may start one"}
	}
	return startOwn, nil
}

// mayRaise reports whether CAP_SYS_RESOURCE is in the bounding set, from the
// text of /proc/self/status (proc(5)). What cannot be read counts as yes.
func mayRaise(status string) bool {
	const capSysResource = 24
	for line := range strings.Lines(status) {
		if v, ok := strings.CutPrefix(line, "CapBnd:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(v), 16, 64)
			return err != nil || set&(1<<capSysResource) != 0
		}
	}
	return true
}

// bashCompletion is the library of the package of that name.
const bashCompletion = "/usr/share/bash-completion/bash_completion"

// extras are what can be asked for beside an engine.
func extras() []string {
	return []string{"podman", "registry", "completion", "skopeo", "node", "rsync"}
}

// packages returns the Debian packages to install, given which programs are
// there.
func packages(c choice, with []string, has func(program string) bool) []string {
	var out []string
	if c == startOwn {
		out = append(out, missing(has, "dockerd", "docker.io")...)
		out = append(out, missing(has, "iptables", "iptables")...)
		if len(out) > 0 {
			out = append(out, "ca-certificates")
		}
	}
	for _, w := range with {
		switch w {
		case "podman":
			out = append(out, missing(has, "podman", "podman", "netavark", "aardvark-dns")...)
		case "registry":
			out = append(out, missing(has, "docker-registry", "docker-registry")...)
		case "completion":
			out = append(out, missing(has, bashCompletion, "bash-completion")...)
		case "skopeo":
			out = append(out, missing(has, "skopeo", "skopeo")...)
		case "node":
			out = append(out, missing(has, "npm", "nodejs", "npm")...)
		case "rsync":
			out = append(out, missing(has, "rsync", "rsync")...)
		}
	}
	return out
}

func missing(has func(string) bool, program string, packages ...string) []string {
	if has(program) {
		return nil
	}
	return packages
}

// mayInstall says why packages cannot be installed, if so.
func mayInstall(f facts, packages []string) error {
	if len(packages) == 0 || f.root && f.debian {
		return nil
	}
	return fmt.Errorf("missing here: %s; install them by hand (only root on a Debian or Ubuntu has it done)", strings.Join(packages, " "))
}
