package doctor

import (
	"context"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// machineMemory returns bytes: what there is and what is to be had. In a
// container that is its cgroup's limit, where it has one.
func machineMemory() (total, available uint64) {
	data, err := os.ReadFile("/proc/meminfo") // proc_meminfo(5)
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(data)) {
		var kib uint64
		if n, _ := fmt.Sscanf(line, "MemTotal: %d kB", &kib); n == 1 {
			total = kib << 10
		}
		if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); n == 1 {
			available = kib << 10
		}
	}
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if limit := number(file); limit > 0 && limit < total {
			total, available = limit, min(limit, available)
		}
	}
	return total, available
}

// number reads a file with one number in it; 0 when there is none.
func number(file string) uint64 {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// noExec reports whether programs on the file system of path are not run. The
// flag has the value that statvfs(3) calls ST_NOEXEC.
func noExec(path string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(path, &fs) == nil && uint64(fs.Flags)&unix.MS_NOEXEC != 0 //nolint:unconvert // its type differs between architectures
}

// The limits that kind asks for where there are several nodes on a machine:
// https://kind.sigs.k8s.io/docs/user/known-issues/#pod-errors-due-to-too-many-open-files
const (
	inotifyWatches   = 524288
	inotifyInstances = 512
)

// inotify counts: a single node, which is what pipeline makes, gets along with
// the defaults of distributions; the nodes of several clusters share them.
func (d *patient) inotify(ctx context.Context) []Finding {
	if !d.usesKind() {
		return nil
	}
	nodes := 0
	if e, ok := d.engines.first(ctx); ok {
		out, _ := ask(ctx, "", nil, e.name, "ps", "--quiet", "--filter", "label=io.x-k8s.kind.cluster")
		nodes = len(strings.Fields(out))
	}
	return []Finding{inotifyLine(nodes, number("/proc/sys/fs/inotify/max_user_watches"), number("/proc/sys/fs/inotify/max_user_instances"))}
}

func inotifyLine(nodes int, watches, instances uint64) Finding {
	l := Finding{State: OK, Found: fmt.Sprintf("%d watches, %d instances, %s running", watches, instances, plural(nodes, "kind node"))}
	if nodes < 2 || watches >= inotifyWatches && instances >= inotifyInstances {
		return l
	}
	l.State = Warning
	l.Consequence = "with several kind nodes, programs in pods may fail with \"too many open files\""
	l.Remedy = fmt.Sprintf("`sudo sysctl -w fs.inotify.max_user_watches=%d fs.inotify.max_user_instances=%d`",
		max(watches, inotifyWatches), max(min(instances, math.MaxInt32), inotifyInstances))
	return l
}
