package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/stages/gotest"
)

// compileAside begins to compile the suite and returns at once; wait has to be
// called.
//
// Linking takes longer than most suites run, and every combination has the same
// one. Its binaries are therefore kept in the folder shared, and a run works with
// copies of its own: gotest looks whether they are up to date, makes what is not,
// and what it made is put back. A lock lets the second of two runs that begin
// together wait for the binaries of the first; while tests run nobody is kept
// waiting, and no binary is replaced that somebody executes.
func (g *goSuite) compileAside(ctx context.Context, job *pipeline.Job, shared string) (wait func() *gotest.Binaries) {
	done := make(chan struct{})
	var b *gotest.Binaries
	if shared != "" {
		job.Cache = filepath.Join(job.Scratch, "suite")
	}
	go func() {
		defer close(done)
		defer job.Phase("compile the tests")()
		if shared == "" {
			b = gotest.Compile(ctx, job, g.options())
			return
		}
		err := exchange(ctx, shared, job.Cache, func() { b = gotest.Compile(ctx, job, g.options()) })
		if err != nil {
			fmt.Fprintf(job.Log, "the compiled tests cannot be shared with other runs: %v\n", err)
		}
		if b == nil && ctx.Err() == nil {
			b = gotest.Compile(ctx, job, g.options())
		}
	}()
	return func() *gotest.Binaries { <-done; return b }
}

// exchange copies the files of shared into own, calls work, and puts those that
// work has changed back into shared. Other processes wait meanwhile. When it
// fails, work may or may not have been called.
func exchange(ctx context.Context, shared, own string, work func()) error {
	if err := errors.Join(os.MkdirAll(shared, 0o755), os.MkdirAll(own, 0o755)); err != nil {
		return err
	}
	unlock, err := lock(ctx, filepath.Join(shared, ".lock"))
	if err != nil {
		return err
	}
	defer unlock()
	evidence.Used(shared)
	if err := copyNew(shared, own); err != nil {
		return err
	}
	work()
	return copyNew(own, shared)
}

// copyNew copies the files of a folder that the other one lacks or has with
// another size or time; hidden ones are left out.
func copyNew(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || e.Name()[0] == '.' {
			continue
		}
		target := filepath.Join(to, e.Name())
		there, err := os.Stat(target)
		if err == nil && there.Size() == info.Size() && there.ModTime().Equal(info.ModTime()) {
			continue
		}
		if err := copyFile(filepath.Join(from, e.Name()), target, info); err != nil {
			return err
		}
	}
	return nil
}

// copyFile puts a copy in the place of target, at once and as a file of its own:
// somebody may be executing the old one.
func copyFile(name, target string, info fs.FileInfo) (err error) {
	src, err := os.Open(name)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.CreateTemp(filepath.Dir(target), ".new-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	err = errors.Join(err, dst.Chmod(info.Mode().Perm()), dst.Close())
	if err == nil {
		err = os.Chtimes(dst.Name(), info.ModTime(), info.ModTime())
	}
	if err == nil {
		err = os.Rename(dst.Name(), target)
	}
	if err != nil {
		_ = os.Remove(dst.Name())
	}
	return err
}

// lockInterval is the pause between two tries: flock(2) cannot be cancelled.
const lockInterval = 20 * time.Millisecond

// lock takes the lock that a file stands for; the kernel frees it when this
// process dies.
func lock(ctx context.Context, name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(lockInterval)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", name, err), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), f.Close())
		case <-tick.C:
		}
	}
}
