//go:build linux

package main

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// reaper collects every process that ends in the node: PID 1 is the parent of
// all whose own parent has gone.
type reaper struct {
	mu        sync.Mutex
	waiting   map[int]chan syscall.WaitStatus // the children that somebody asks about
	childless chan struct{}                   // receives when there is no child left
}

func newReaper() *reaper {
	return &reaper{waiting: map[int]chan syscall.WaitStatus{}, childless: make(chan struct{}, 1)}
}

// run reaps for ever.
func (r *reaper) run() {
	ended := make(chan os.Signal, 64)
	signal.Notify(ended, syscall.SIGCHLD)
	// The kernel merges signals; the ticker catches what that could hide.
	tick := time.NewTicker(5 * time.Second)
	for {
		select {
		case <-ended:
		case <-tick.C:
		}
		r.collect()
	}
}

func (r *reaper) collect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.ECHILD {
			select {
			case r.childless <- struct{}{}:
			default:
			}
		}
		if pid <= 0 || err != nil {
			return
		}
		if c, ok := r.waiting[pid]; ok {
			delete(r.waiting, pid)
			c <- status
		}
	}
}

// start starts a process with its output in out and returns a channel that
// receives its end. It forks under the lock, so that the process cannot be
// reaped before anybody knows its id.
func (r *reaper) start(argv, env []string, out *os.File) (int, <-chan syscall.WaitStatus, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = null.Close() }()
	r.mu.Lock()
	defer r.mu.Unlock()
	pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
		Env: env, Files: []uintptr{null.Fd(), out.Fd(), out.Fd()},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, nil, &os.PathError{Op: "start", Path: argv[0], Err: err}
	}
	c := make(chan syscall.WaitStatus, 1)
	r.waiting[pid] = c
	return pid, c, nil
}

// awaitChildless returns when no child is left, at the latest after limit.
func (r *reaper) awaitChildless(limit time.Duration) {
	select {
	case <-r.childless:
	default:
	}
	r.collect()
	select {
	case <-r.childless:
	case <-time.After(limit):
	}
}
