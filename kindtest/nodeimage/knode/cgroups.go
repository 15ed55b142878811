//go:build linux

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// makeCgroups makes the cgroup /kubelet, which kind's kubeadm configuration
// gives to the kubelet, in the one hierarchy of cgroup v2 or in each of v1.
func makeCgroups(root string) (v2 bool, err error) {
	controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err == nil {
		return true, makeUnified(root, strings.Fields(string(controllers)))
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return false, err
	}
	var all []error
	for _, e := range entries {
		// Links are second names of a hierarchy; "unified" is v2 without controllers.
		if e.IsDir() && e.Name() != "unified" {
			all = append(all, makeHierarchy(filepath.Join(root, e.Name())))
		}
	}
	return false, errors.Join(all...)
}

// makeHierarchy makes the cgroup in a v1 hierarchy. A cpuset without CPUs and
// memory nodes takes no process.
func makeHierarchy(dir string) error {
	group := filepath.Join(dir, "kubelet")
	if err := os.MkdirAll(group, 0o755); err != nil {
		return err
	}
	var all []error
	for _, f := range []string{"cpuset.cpus", "cpuset.mems"} {
		if raw, err := os.ReadFile(filepath.Join(dir, f)); err == nil {
			all = append(all, os.WriteFile(filepath.Join(group, f), raw, 0o644))
		}
	}
	return errors.Join(all...)
}

// makeUnified moves the processes of the root to a group of their own, since
// cgroup v2 lets no group with processes hand controllers on, and hands them
// on to the kubelet's.
func makeUnified(root string, controllers []string) error {
	first, group := filepath.Join(root, "init"), filepath.Join(root, "kubelet")
	for _, dir := range []string{first, group} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	raw, err := os.ReadFile(filepath.Join(root, "cgroup.procs"))
	if err != nil {
		return err
	}
	for _, pid := range strings.Fields(string(raw)) {
		// A process that has ended meanwhile need not be moved.
		_ = os.WriteFile(filepath.Join(first, "cgroup.procs"), []byte(pid), 0o644)
	}
	var all []error
	for _, dir := range []string{root, group} {
		for _, c := range controllers {
			all = append(all, os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+c), 0o644))
		}
	}
	return errors.Join(all...)
}
