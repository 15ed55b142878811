package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// fileLock is an advisory lock that the kernel frees when the process ends.
type fileLock struct{ f *os.File }

// errLocked says that another process holds the lock.
var errLocked = errors.New("locked by another process")

// tryLock takes the lock or returns errLocked. The file holds who has it.
func tryLock(name string) (*fileLock, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	for {
		lock, err := flock(name)
		if err != nil || lock.inPlace() {
			return lock, err
		}
		lock.release() // its last holder has removed the file
	}
}

// flock locks the file that has the name now.
func flock(name string) (*fileLock, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return &fileLock{f}, nil
}

// lockPause is the time between two tries to take a lock: the kernel has no
// wait for a lock that a context could end.
const lockPause = 25 * time.Millisecond

// waitLock takes the lock, however long that takes, unless ctx ends. When it
// has to wait, waiting is called once with who holds it. owner is written for
// others to read.
func waitLock(ctx context.Context, name, owner string, waiting func(holder string)) (*fileLock, error) {
	told := false
	tick := time.NewTicker(lockPause)
	defer tick.Stop()
	for {
		lock, err := tryLock(name)
		if err == nil {
			return lock, lock.sign(owner)
		}
		if !errors.Is(err, errLocked) {
			return nil, err
		}
		if !told {
			told = true
			holder, _ := os.ReadFile(name)
			waiting(strings.TrimSpace(string(holder)))
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func (l *fileLock) sign(owner string) error {
	if err := l.f.Truncate(0); err != nil {
		return err
	}
	_, err := l.f.WriteAt([]byte(owner+"\n"), 0)
	return err
}

// inPlace reports whether the file is still the one of its name.
func (l *fileLock) inPlace() bool {
	own, err := l.f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(l.f.Name())
	return err == nil && os.SameFile(own, named)
}

// remove removes the file and gives the lock up. Who waits for it finds out and
// makes a new one.
func (l *fileLock) remove() {
	_ = os.Remove(l.f.Name())
	l.release()
}

// release gives the lock up by its name: a child that is about to be executed
// may still have the open file.
func (l *fileLock) release() {
	_ = syscall.Flock(int(l.f.Fd()), syscall.LOCK_UN)
	l.f.Close()
}
