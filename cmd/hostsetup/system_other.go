//go:build !linux

package main

import "errors"

// Only Linux has a dockerd of ours, so that there is nothing to remove here.
func removeBridge(string) error { return errors.ErrUnsupported }

func unmount(string) error { return errors.ErrUnsupported }
