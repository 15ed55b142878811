package kind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"gitlab.com/selfcontained/pipeline/kindtest"
)

const (
	phaseCreating = "creating"
	phaseReady    = "ready"
)

// state is what is known of the cluster without asking the engine.
type state struct {
	Phase   string    `json:"phase"`
	Image   string    `json:"image"`
	Engine  string    `json:"engine"`
	Created time.Time `json:"created"`
}

// files are the paths of one cluster's files. All of them may be deleted at any
// time.
type files struct {
	kubeconfig string
	scratch    string // where kind writes a kubeconfig
	statePath  string
	lockPath   string
}

func newFiles(cache, cluster string) files {
	base := filepath.Join(cache, "kube", cluster)
	return files{kubeconfig: base + ".kubeconfig", scratch: base + ".kubeconfig.kind", statePath: base + ".json", lockPath: base + ".lock"}
}

// state returns the zero value when there is none that can be read.
func (f files) state() state {
	var s state
	data, err := os.ReadFile(f.statePath)
	if err != nil || json.Unmarshal(data, &s) != nil {
		return state{}
	}
	return s
}

func (f files) write(s state) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return kindtest.WritePrivate(f.statePath, append(data, '\n'))
}

// remove leaves the lock: others may be waiting on it.
func (f files) remove() error {
	var errs []error
	for _, path := range []string{f.statePath, f.kubeconfig, f.scratch} {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// lockInterval is the pause between two tries: flock(2) cannot be cancelled.
const lockInterval = 50 * time.Millisecond

// lock takes the cluster's lock, which the kernel releases when this process
// dies. While it waits it says for whom.
func (p *Provider) lock(ctx context.Context, purpose string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(p.files.lockPath), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(p.files.lockPath, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := p.await(ctx, f); err != nil {
		f.Close()
		return nil, err
	}
	_ = f.Truncate(0)
	_, _ = fmt.Fprintf(f, "process %d, %s since %s", os.Getpid(), purpose, time.Now().Format(time.TimeOnly))
	return func() { _ = f.Truncate(0); f.Close() }, nil
}

func (p *Provider) await(ctx context.Context, f *os.File) error {
	tick := time.NewTicker(lockInterval)
	defer tick.Stop()
	for told := false; ; {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		if holder, _ := os.ReadFile(f.Name()); !told && len(holder) > 0 {
			p.log.printf("waiting for %s", holder)
			told = true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			holder, _ := os.ReadFile(f.Name())
			return fmt.Errorf("wait for %s: %w", holder, context.Cause(ctx))
		}
	}
}
