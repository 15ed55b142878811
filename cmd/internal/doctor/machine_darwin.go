package doctor

import (
	"context"

	"golang.org/x/sys/unix"
)

// machineMemory returns the bytes that there are; what is free says nothing on
// this system, which uses it for caches.
func machineMemory() (total, available uint64) {
	total, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 0, 0
	}
	return total, 0
}

// noExec reports whether programs on the file system of path are not run.
func noExec(path string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(path, &fs) == nil && fs.Flags&unix.MNT_NOEXEC != 0
}

// inotify is Linux's.
func (d *patient) inotify(context.Context) []Finding { return nil }
