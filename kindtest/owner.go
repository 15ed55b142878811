package kindtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// Owner is the process that holds a lease. A process id alone is not enough:
// ids are reused, and the same id means another process on another machine or
// in another container.
type Owner struct {
	// Host identifies the machine since it was booted and the process id
	// namespace on it. Owners of different hosts know nothing of one another.
	Host string `json:"host"`
	Pid  int    `json:"pid"`
	// Start is when the process was started, in a form that only this kind of
	// host compares for equality.
	Start string `json:"start"`
}

// CurrentOwner describes this process.
func CurrentOwner(ctx context.Context) (Owner, error) {
	pid := os.Getpid()
	start, err := processStart(ctx, pid)
	if err != nil {
		return Owner{}, fmt.Errorf("find out when process %d was started: %w", pid, err)
	}
	return Owner{Host: hostID(), Pid: pid, Start: start}, nil
}

func (o Owner) String() string {
	b, _ := json.Marshal(o) // strings and a number: cannot fail
	return string(b)
}

// parseOwner returns false for what String has not written.
func parseOwner(s string) (Owner, bool) {
	var o Owner
	err := json.Unmarshal([]byte(s), &o)
	return o, err == nil && o.Host != "" && o.Pid > 0 && o.Start != ""
}

// dead reports whether o is certainly gone: it lived on this host and its
// process id is free or belongs to a process that was started at another time.
func (o Owner) dead(ctx context.Context, here string) bool {
	if o.Host != here {
		return false
	}
	start, err := processStart(ctx, o.Pid)
	return os.IsNotExist(err) || err == nil && start != o.Start
}

func hostID() string {
	hostname, _ := os.Hostname()
	sum := sha256.Sum256([]byte(strings.Join(append(hostFacts(), hostname), "\x00")))
	return hex.EncodeToString(sum[:8])
}
