package proc

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// RunVariable is the environment variable that carries the id of the run; all
// processes that a run starts inherit it.
const RunVariable = "PIPELINE_RUN"

// Strays returns the ids of processes whose environment has RunVariable set to
// run, this process excepted. Only processes that this user may inspect are
// seen. On systems without /proc the result is empty.
func Strays(run string) []int {
	want := []byte(RunVariable + "=" + run)
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	var pids []int
	for _, f := range files {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err != nil || pid == os.Getpid() {
			continue
		}
		if env, err := os.ReadFile(f); err == nil && hasEntry(env, want) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// KillStrays sends SIGKILL to what Strays finds, until it finds nothing new (a
// process may start another while it is looked for), and returns how many
// there were.
func KillStrays(run string) int {
	killed := map[int]bool{}
	for fresh := true; fresh; {
		fresh = false
		for _, pid := range Strays(run) {
			if !killed[pid] && syscall.Kill(pid, syscall.SIGKILL) == nil {
				killed[pid], fresh = true, true
			}
		}
	}
	return len(killed)
}

func hasEntry(environ, want []byte) bool {
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		if bytes.Equal(entry, want) {
			return true
		}
	}
	return false
}
