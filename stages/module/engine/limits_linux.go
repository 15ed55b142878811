package engine

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// limits keeps a container below the hard limits of this process. Podman's own
// default raises them, which a root without CAP_SYS_RESOURCE may not do.
func limits() []string {
	var args []string
	for _, l := range []struct {
		name     string
		resource int
		most     uint64 // podman itself lowers those of its children
	}{{"nofile", unix.RLIMIT_NOFILE, 1 << 16}, {"nproc", unix.RLIMIT_NPROC, 1 << 15}} {
		var limit unix.Rlimit
		if err := unix.Getrlimit(l.resource, &limit); err != nil {
			continue
		}
		most := min(limit.Max, l.most)
		args = append(args, fmt.Sprintf("--ulimit=%s=%d:%d", l.name, most, most))
	}
	return args
}
