// Package instance names what every runtime of the module stage has in common:
// what is to be started, and what can be asked of it while it runs and when it
// has ended.
//
// A runtime holds one image that it has made ready; each Start is a fresh
// container of it. The argument vector is complete (entrypoint and arguments
// are put together by the caller), so that all runtimes start the same process.
package instance

import (
	"fmt"
	"io"
	"syscall"
)

// Spec is one process to start in the image.
type Spec struct {
	// Argv is the whole argument vector; Argv[0] is looked up in the image,
	// along its PATH when it has no slash.
	Argv []string
	// Env is added to the environment of the image, "KEY=VALUE".
	Env []string
	// Port is the TCP port inside that is to be reached from outside; 0 is none.
	Port int
	// Output receives stdout and stderr; it is never called concurrently.
	Output io.Writer
}

// Exit tells how the process ended.
type Exit struct {
	Code   int            // -1 when a signal ended it or it never ran
	Signal syscall.Signal // 0 unless a signal ended it
	// Err is set when the process could not be started, or was lost.
	Err error
}

// OK reports whether the process ended by itself with code 0.
func (e Exit) OK() bool { return e.Err == nil && e.Signal == 0 && e.Code == 0 }

func (e Exit) String() string {
	switch {
	case e.Err != nil:
		return e.Err.Error()
	case e.Signal != 0:
		return fmt.Sprintf("ended by signal %d (%v)", int(e.Signal), e.Signal)
	}
	return fmt.Sprintf("exit code %d", e.Code)
}

// Instance is a started process. Its methods may be called concurrently. It
// ends at the latest with the context that it was started with.
type Instance interface {
	// Addr is the host:port under which Spec.Port is reached; empty without one.
	Addr() string
	// Done is closed when the process has ended and its output is written.
	Done() <-chan struct{}
	// Exit is valid after Done.
	Exit() Exit
	// Signal sends a signal to the process.
	Signal(syscall.Signal) error
	// Kill ends everything that runs in the container, and waits for it.
	Kill()
}

// NotStartedError says that the image's program could not be executed: the
// image is at fault, not the runtime.
type NotStartedError struct{ Err error }

func (e *NotStartedError) Error() string { return e.Err.Error() }

func (e *NotStartedError) Unwrap() error { return e.Err }
