//go:build !linux

package kindtest

import (
	"context"
	"os"
	"strconv"
	"strings"
	"syscall"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// hostFacts has nothing to add to the host name where there are no process id
// namespaces.
func hostFacts() []string { return nil }

// processStart asks ps(1), which is the same on all systems derived from BSD.
func processStart(ctx context.Context, pid int) (string, error) {
	if syscall.Kill(pid, 0) == syscall.ESRCH {
		return "", os.ErrNotExist
	}
	out, err := proc.Cmd{Args: []string{"ps", "-o", "lstart=", "-p", strconv.Itoa(pid)}, Env: []string{"LC_ALL=C", "TZ=UTC"}}.Output(ctx)
	return strings.TrimSpace(string(out)), err
}
