package pipeline

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// TestLockIsHeldByOne takes and removes a lock from many sides: at no time have
// two of them got it, and no file is left.
func TestLockIsHeldByOne(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "locks", "key")
	var holders atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for taken := 0; taken < 50; {
				lock, err := tryLock(name)
				if errors.Is(err, errLocked) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				taken++
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d have the lock", n)
				}
				runtime.Gosched()
				holders.Add(-1)
				lock.remove()
			}
		})
	}
	all.Wait()
	if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
}

// TestLockOfARemovedFileIsNone: a lock on a file that has lost its name keeps
// nobody out.
func TestLockOfARemovedFileIsNone(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "key")
	first, err := tryLock(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tryLock(name); !errors.Is(err, errLocked) {
		t.Errorf("a second lock: %v", err)
	}
	waiting, err := os.Open(name) // as one does that is about to lock it
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	first.remove()
	if (&fileLock{waiting}).inPlace() {
		t.Error("the removed file counts as the lock")
	}
	second, err := tryLock(name)
	if err != nil {
		t.Fatal(err)
	}
	second.release()
}
