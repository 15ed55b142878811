//go:build !linux

package engine

// limits returns nothing: the containers run in a machine of their own.
func limits() []string { return nil }
