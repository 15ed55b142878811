//go:build !linux

package sandbox

import (
	"context"
	"errors"

	"gitlab.com/selfcontained/pipeline/stages/module/instance"
)

var errLinux = errors.New("the sandbox needs Linux")

// Possible reports whether a sandbox may work here; never, on this system.
func Possible() bool { return false }

// Choose returns an error: the sandbox needs Linux.
func Choose(context.Context, string) (Mode, error) { return "", errLinux }

// New returns an error: the sandbox needs Linux.
func New(Mode, Image) (*Sandbox, error) { return nil, errLinux }

// Start returns an error: the sandbox needs Linux.
func (s *Sandbox) Start(context.Context, instance.Spec) (instance.Instance, error) {
	return nil, errLinux
}

// Main returns the exit code of a process that cannot be an init.
func Main() int { return 125 }
