//go:build linux

// Command knode is the userland of a kind node without systemd: PID 1, a
// systemctl small enough for kubeadm and kind, and a DNS relay.
//
// By the name it is called with it is
//
//	entrypoint   PID 1: prepares mounts, kernel settings and cgroups,
//	             supervises containerd and kubelet, and prints the line that
//	             kind waits for
//	systemctl    asks PID 1 over a unix socket to start, stop, restart or
//	             report a service
//	journalctl   prints the logs of the services, for "kind export logs"
//	pgrep        prints the ids of the processes of exactly this name: kind
//	             runs "pgrep --exact containerd"
//
// It uses the standard library alone, as it is built on the machine that makes
// the image.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

const (
	controlSocket    = "/run/knode.sock"
	containerdSocket = "/run/containerd/containerd.sock"
	logFolder        = "/var/log"
)

func main() { os.Exit(run(filepath.Base(os.Args[0]), os.Args[1:])) }

func run(name string, args []string) int {
	switch name {
	case "systemctl":
		return systemctl(args, controlSocket, os.Stdout, os.Stderr)
	case "journalctl":
		return journalctl(args, logFolder, os.Stdout, os.Stderr)
	case "pgrep":
		return pgrep(args, "/proc", os.Stdout)
	}
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "knode: not PID 1; it is the entrypoint of a node's container")
		return 1
	}
	return boot(newLogger(os.Stdout))
}
