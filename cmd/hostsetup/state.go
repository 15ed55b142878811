package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lock makes the state folder and keeps every other hostsetup out until the
// returned function is called. Waiting for another one ends with ctx.
func (h host) lock(ctx context.Context) (unlock func(), err error) {
	if err := h.claim(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(h.state, marker), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for said := false; ; said = true {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		if !said {
			h.printf("waiting for another hostsetup to finish")
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// claim makes the state folder ours. A folder with other things in it is
// refused: down would remove them.
func (h host) claim() error {
	if err := os.MkdirAll(h.state, 0o711); err != nil {
		return err
	}
	if h.claimed() {
		return nil
	}
	entries, err := os.ReadDir(h.state)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty and was not made by hostsetup; set %s to a folder of its own", h.state, stateVariable)
	}
	return os.WriteFile(filepath.Join(h.state, marker), nil, 0o644)
}

func (h host) claimed() bool {
	_, err := os.Stat(filepath.Join(h.state, marker))
	return err == nil
}
