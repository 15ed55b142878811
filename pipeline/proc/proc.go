// Package proc runs external commands for stages.
//
// A command runs in a process group of its own, so that cancelling its context
// stops the whole tree: SIGTERM to the group, then SIGKILL when the grace
// period is over. What is left of the group when the command itself has ended
// is killed: nothing goes on in the background. Should this process itself die without a chance to clean up,
// the kernel kills the direct child (Linux), and the environment variable
// RunVariable, which every descendant inherits, lets the next run find what is
// left (see Strays).
//
// A failure is an *Error that can be pasted into a shell: directory, argument
// vector, exit code or signal, and the end of what was written to stderr.
package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// DefaultGrace is the time between SIGTERM and SIGKILL of a cancelled command.
const DefaultGrace = 5 * time.Second

// stderrTail is how much of the end of stderr an Error keeps, in bytes.
const stderrTail = 8 << 10

// Cmd is a command to run. The zero value of every field but Args is useful.
type Cmd struct {
	// Args is the argument vector; Args[0] is looked up in PATH.
	Args []string
	// Dir is the working directory; empty is the one of this process.
	Dir string
	// Env is added to the environment of this process, "KEY=VALUE"; a later
	// entry wins.
	Env []string
	// CleanEnv drops the environment of this process: Env is all there is.
	CleanEnv bool
	Stdin    io.Reader
	// Stdout and Stderr receive the output as it comes; nil drops it, but the
	// end of stderr is kept for the error in any case. The same writer for
	// both is never called concurrently and sees the order of writing.
	Stdout, Stderr io.Writer
	// Grace is the time between SIGTERM and SIGKILL after cancellation; zero
	// means DefaultGrace.
	Grace time.Duration
	// Background lets the command give way to others that want a processor.
	Background bool
}

// Error tells that a command could not be started, failed, or was stopped.
type Error struct {
	Args     []string
	Dir      string
	ExitCode int            // -1 when it was not started or ended by a signal
	Signal   syscall.Signal // 0 unless a signal ended it
	Stderr   string         // the end of stderr, at most 8 KiB
	Err      error          // the cause: *exec.Error, *exec.ExitError, a context error
}

// Error names the command as one would type it, what happened, and the last
// line of stderr.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(Quote(e.Args))
	switch {
	case errors.Is(e.Err, context.DeadlineExceeded):
		b.WriteString(": timed out")
	case errors.Is(e.Err, context.Canceled):
		b.WriteString(": cancelled")
	case e.Signal != 0:
		fmt.Fprintf(&b, ": ended by signal %v", e.Signal)
	case e.ExitCode >= 0:
		fmt.Fprintf(&b, ": exit status %d", e.ExitCode)
	case errors.Is(e.Err, exec.ErrWaitDelay):
		b.WriteString(": it ended, but left a process that holds its output open")
	case NotFound(e.Err):
		b.WriteString(": not installed, or not in PATH")
	default:
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if line := lastLine(e.Stderr); line != "" {
		b.WriteString(": " + line)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// NotFound reports whether err says that a command is not installed.
func NotFound(err error) bool { return errors.Is(err, exec.ErrNotFound) }

// ExitCode returns the exit code that err carries, 0 for nil and -1 when there
// is none.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	var e *Error
	if errors.As(err, &e) {
		return e.ExitCode
	}
	return -1
}

// Run runs the command and waits for it and for its output. The error, if any,
// is an *Error; when ctx ended first it wraps the cause of that.
func (c Cmd) Run(ctx context.Context) error {
	p, err := c.Start(ctx)
	if err != nil {
		return err
	}
	return p.Wait()
}

// Output runs the command and returns what it wrote to stdout. Cmd.Stdout is
// ignored.
func (c Cmd) Output(ctx context.Context) ([]byte, error) {
	var out bytes.Buffer
	c.Stdout = &out
	err := c.Run(ctx)
	return out.Bytes(), err
}

// Process is a running command.
type Process struct {
	Pid  int
	done chan struct{}
	err  error
}

// Start starts the command. It is stopped when ctx ends; Wait must be called.
func (c Cmd) Start(ctx context.Context) (*Process, error) {
	if len(c.Args) == 0 {
		return nil, &Error{ExitCode: -1, Err: errors.New("no command")}
	}
	if err := ctx.Err(); err != nil {
		return nil, &Error{Args: c.Args, Dir: c.Dir, ExitCode: -1, Err: context.Cause(ctx)}
	}
	tail := &tailWriter{limit: stderrTail}
	cmd := c.command(ctx, tail)
	p := &Process{done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The parent-death signal is bound to the thread that forks.
		runtime.LockOSThread()
		if !c.Background || !giveWay() {
			defer runtime.UnlockOSThread()
		}
		defer close(p.done)
		err := cmd.Start()
		if err == nil {
			p.Pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			go endGroup(p.Pid)
			p.err = c.failure(ctx, cmd.Wait(), tail)
		}
	}()
	if err := <-started; err != nil {
		return nil, &Error{Args: c.Args, Dir: c.Dir, ExitCode: -1, Err: err}
	}
	return p, nil
}

// Wait waits until the command and its output have ended.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// Done is closed when the command has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Signal sends a signal to the command's whole process group.
func (p *Process) Signal(s syscall.Signal) error { return syscall.Kill(-p.Pid, s) }

func (c Cmd) command(ctx context.Context, tail *tailWriter) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir, cmd.Stdin = c.Dir, c.Stdin
	cmd.Env = c.environment()
	cmd.Stdout, cmd.Stderr = c.Stdout, io.Writer(tail)
	if c.Stderr != nil {
		cmd.Stderr = io.MultiWriter(c.Stderr, tail)
		if c.Stdout != nil && sameWriter(c.Stdout, c.Stderr) {
			// One pipe for both keeps the order of what the command writes.
			shared := io.MultiWriter(c.Stdout, tail)
			cmd.Stdout, cmd.Stderr = shared, shared
		}
	}
	setGroup(cmd)
	grace := c.Grace
	if grace == 0 {
		grace = DefaultGrace
	}
	cmd.Cancel = func() error { return terminate(cmd.Process.Pid, grace) }
	cmd.WaitDelay = grace + time.Second
	return cmd
}

func (c Cmd) environment() []string {
	if c.CleanEnv {
		return slices.Clone(c.Env)
	}
	return append(os.Environ(), c.Env...)
}

// failure turns what Wait returned into an *Error, or nil.
func (c Cmd) failure(ctx context.Context, err error, tail *tailWriter) error {
	if err == nil {
		return nil
	}
	e := &Error{Args: c.Args, Dir: c.Dir, ExitCode: -1, Stderr: tail.String(), Err: err}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		e.ExitCode = exit.ExitCode()
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			e.Signal = ws.Signal()
		}
	}
	if ctx.Err() != nil {
		e.Err = context.Cause(ctx)
	}
	return e
}

// terminate asks the group to end and kills it when the grace period is over.
func terminate(pid int, grace time.Duration) error {
	err := syscall.Kill(-pid, syscall.SIGTERM)
	time.AfterFunc(grace, func() { _ = syscall.Kill(-pid, syscall.SIGKILL) })
	return err
}
