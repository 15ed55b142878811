// Package sandbox runs a program in the root file system of its image without
// a container engine.
//
// The parent starts its own executable again as the first process of new user,
// mount, PID, IPC, UTS and network namespaces. That process (the init) checks
// that it really left the parent's namespaces before it mounts anything, makes
// the root file system its root, gives up its capabilities, starts the program
// with the numeric user of the image and reaps what the program leaves. It
// talks with the parent over one socket; through it the parent also gets
// connections to ports inside, so that nothing of the host's network is
// touched. When the parent dies the kernel kills the init, and with it the
// namespaces, their processes and their mounts.
//
// What the machine allows decides on the [Mode]; [Choose] finds out by trying.
// A program that uses this package begins its main function with:
//
//	if sandbox.IsInit(os.Args) {
//		os.Exit(sandbox.Main())
//	}
package sandbox

import (
	"gitlab.com/selfcontained/pipeline/stages/module/rootfs"
)

// Mode is how much of a container the sandbox is.
type Mode string

const (
	// User has namespaces of its own, a user namespace included: the one that
	// needs no privilege.
	User Mode = "user namespaces"
	// Namespaces has all but a user namespace: root with CAP_SYS_ADMIN.
	Namespaces Mode = "namespaces"
	// Chroot has no namespaces: root in an unprivileged container. The program
	// shares the network and the process table with this one.
	Chroot Mode = "chroot"
)

// initName is argv[0] of the init; no user types it.
const initName = "pipeline-sandbox-init"

// IsInit reports whether the process was started as the init of a sandbox.
func IsInit(args []string) bool { return len(args) == 1 && args[0] == initName }

// Image is an unpacked image.
type Image struct {
	// Root is the folder with the root file system. It belongs to the sandbox:
	// mount points and /etc/hosts are made in it.
	Root string
	User rootfs.User
	// Env is the environment of the image, "KEY=VALUE".
	Env []string
	// WorkDir is the working directory; empty is "/".
	WorkDir string
	// Writable are paths in the image that the program may write to, beside
	// /tmp: its volumes and /data.
	Writable []string
}

// Sandbox starts programs of one image. Safe for concurrent use; instances
// share the writable folders.
type Sandbox struct {
	mode  Mode
	image Image
}

// hosts is the /etc/hosts of every container.
const hosts = "127.0.0.1\tlocalhost\n::1\tlocalhost\n"
