package kindtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// hostFacts returns what differs between hosts, boots and process id
// namespaces. See proc_sys_kernel(5) and namespaces(7).
func hostFacts() []string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	pids, _ := os.Readlink("/proc/self/ns/pid")
	return []string{strings.TrimSpace(string(boot)), pids}
}

// processStart returns field 22 of /proc/PID/stat (proc_pid_stat(5)): clock
// ticks between boot and start. A zombie counts as gone.
func processStart(_ context.Context, pid int) (string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	// Field 2 is the command in parentheses and may itself contain anything.
	_, rest, ok := strings.Cut(string(data[strings.LastIndexByte(string(data), ')')+1:]), " ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return "", errors.New("/proc/PID/stat has an unknown form")
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return "", os.ErrNotExist
	}
	return fields[19], nil
}
