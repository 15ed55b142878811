package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// policyFile is what Debian's package scripts ask before they start a service;
// exit status 101 forbids it (invoke-rc.d(8), deb-systemd-invoke(1p)).
const policyFile = "/usr/sbin/policy-rc.d"

// install installs Debian packages without starting their services: the
// distribution's dockerd would be a second one, with another configuration.
func (h host) install(ctx context.Context, packages []string) error {
	if len(packages) == 0 {
		return nil
	}
	h.printf("installing %s, which is missing here, from the distribution (services are not started now)", strings.Join(packages, ", "))
	restore, err := forbidServices(policyFile)
	if err != nil {
		return fmt.Errorf("keep services from starting: %w", err)
	}
	defer restore()
	args := append([]string{"apt-get", "install", "-y", "-qq", "-o", "Dpkg::Use-Pty=0", "--no-install-recommends"}, packages...)
	if h.apt(ctx, args) == nil {
		return nil
	}
	// The usual reason is a package list that is missing or out of date.
	h.printf("once more with fresh package lists")
	if err := h.apt(ctx, []string{"apt-get", "update", "-q"}); err != nil {
		return fmt.Errorf("no package lists: %w", err)
	}
	if err := h.apt(ctx, args); err != nil {
		return fmt.Errorf("install %s: %w", strings.Join(packages, " "), err)
	}
	return nil
}

func (h host) apt(ctx context.Context, args []string) error {
	return proc.Cmd{
		Args: args, Env: []string{"DEBIAN_FRONTEND=noninteractive"},
		Stdout: h.say, Stderr: h.say,
	}.Run(ctx)
}

// forbidServices puts a policy in place for the time of an installation. A
// policy that is there already is the administrator's and stays.
func forbidServices(path string) (restore func(), err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString("#!/bin/sh\nexit 101\n")
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	restore = func() { _ = os.Remove(path) }
	if err != nil {
		restore()
		return nil, err
	}
	return restore, nil
}
