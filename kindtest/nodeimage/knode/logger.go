//go:build linux

package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// logger writes lines that begin with the seconds since the start. It may be
// used concurrently.
type logger struct {
	mu      sync.Mutex
	w       io.Writer
	started time.Time
}

func newLogger(w io.Writer) *logger { return &logger{w: w, started: time.Now()} }

func (l *logger) printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, "knode[%7.3f]: %s\n", time.Since(l.started).Seconds(), fmt.Sprintf(format, args...))
}

// note logs an error, if any: PID 1 goes on with what it can.
func (l *logger) note(err error) {
	if err != nil {
		l.printf("%v", err)
	}
}
