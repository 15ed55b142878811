package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// capSysResource is the number of CAP_SYS_RESOURCE, capabilities(7).
const capSysResource = 24

// limits is what a process may hand on to the containers it starts.
type limits struct {
	bounding    uint64            // the capability bounding set, one bit each
	oomScoreAdj int               // it may not go below without CAP_SYS_RESOURCE
	hard        map[string]uint64 // hard rlimit by its OCI name, likewise
}

// ownLimits reads the limits of this process.
func ownLimits() (limits, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return limits{}, err
	}
	bounding, err := boundingSet(string(status))
	if err != nil {
		return limits{}, err
	}
	l := limits{bounding: bounding, hard: map[string]uint64{}}
	if raw, err := os.ReadFile("/proc/self/oom_score_adj"); err == nil {
		l.oomScoreAdj, _ = strconv.Atoi(strings.TrimSpace(string(raw)))
	}
	for number, name := range rlimitNames() {
		var r syscall.Rlimit
		if syscall.Getrlimit(number, &r) == nil {
			l.hard[name] = uint64(r.Max)
		}
	}
	return l, nil
}

// boundingSet reads CapBnd from the text of /proc/PID/status, proc(5).
func boundingSet(status string) (uint64, error) {
	for line := range strings.Lines(status) {
		if v, ok := strings.CutPrefix(line, "CapBnd:"); ok {
			return strconv.ParseUint(strings.TrimSpace(v), 16, 64)
		}
	}
	return 0, fmt.Errorf("no CapBnd in /proc/self/status")
}

func (l limits) has(capability int) bool { return l.bounding&(1<<capability) != 0 }

// hasNamed reports whether a capability may be given. A name that is newer than
// the list below may not: whether this process has it cannot be told.
func (l limits) hasNamed(name string) bool {
	i := slices.Index(capabilityNames(), name)
	return i >= 0 && l.has(i)
}

// capabilityNames returns the names of linux/capability.h, by number.
func capabilityNames() []string {
	return []string{
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID",
		"CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE",
		"CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK",
		"CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
		"CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
		"CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
		"CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG",
		"CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF",
		"CAP_CHECKPOINT_RESTORE",
	}
}

// rlimitNames returns the names of asm-generic/resource.h, by number.
func rlimitNames() []string {
	return []string{
		"RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_RSS",
		"RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_MEMLOCK", "RLIMIT_AS", "RLIMIT_LOCKS",
		"RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
	}
}
