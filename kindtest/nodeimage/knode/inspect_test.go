//go:build linux

package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestJournalctl(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/kubelet.log", "k\n")
	put(t, dir+"/containerd.log", "c\n")
	for line, want := range map[string]string{
		"--no-pager":                    "c\nk\n",
		"--no-pager -u kubelet.service": "k\n",
		"--unit=containerd":             "c\n",
		"--unit containerd":             "c\n",
	} {
		var out bytes.Buffer
		if code := journalctl(strings.Fields(line), dir, &out, io.Discard); code != 0 || out.String() != want {
			t.Errorf("%s: %d %q", line, code, out.String())
		}
	}
	if code := journalctl([]string{"-u", "none"}, dir, io.Discard, io.Discard); code != 1 {
		t.Errorf("unknown unit: %d", code)
	}
}

func TestPgrep(t *testing.T) {
	procfs := t.TempDir()
	put(t, procfs+"/17/comm", "containerd\n")
	put(t, procfs+"/18/comm", "containerd-shim\n")
	var out bytes.Buffer
	if code := pgrep([]string{"--exact", "containerd"}, procfs, &out); code != 0 || out.String() != "17\n" {
		t.Errorf("%d %q", code, out.String())
	}
	if code := pgrep([]string{"dockerd"}, procfs, io.Discard); code != 1 {
		t.Errorf("no process: %d", code)
	}
}

func TestCgroupsOfVersion1(t *testing.T) {
	root := t.TempDir()
	put(t, root+"/cpuset/cpuset.cpus", "0-1\n")
	put(t, root+"/memory/tasks", "")
	put(t, root+"/unified/cgroup.procs", "")
	v2, err := makeCgroups(root)
	if v2 || err != nil {
		t.Fatalf("v2 = %v, %v", v2, err)
	}
	if raw, err := os.ReadFile(root + "/cpuset/kubelet/cpuset.cpus"); err != nil || string(raw) != "0-1\n" {
		t.Errorf("%q, %v", raw, err)
	}
	if _, err := os.Stat(root + "/memory/kubelet"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(root + "/unified/kubelet"); err == nil {
		t.Error("made a cgroup in the hierarchy without controllers")
	}
}

func TestCgroupsOfVersion2(t *testing.T) {
	root := t.TempDir()
	put(t, root+"/cgroup.controllers", "cpu memory\n")
	put(t, root+"/cgroup.procs", "1\n")
	v2, err := makeCgroups(root)
	if !v2 || err != nil {
		t.Fatalf("v2 = %v, %v", v2, err)
	}
	for file, want := range map[string]string{
		"init/cgroup.procs": "1", "cgroup.subtree_control": "+memory", "kubelet/cgroup.subtree_control": "+memory",
	} {
		if raw, err := os.ReadFile(filepath.Join(root, file)); err != nil || string(raw) != want {
			t.Errorf("%s: %q, %v", file, raw, err)
		}
	}
}

func TestMachineID(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/uuid", "01234567-89ab-cdef-0123-456789abcdef\n")
	for range 2 { // the second time it stays
		if err := makeMachineID(dir+"/id", dir+"/uuid"); err != nil {
			t.Fatal(err)
		}
		put(t, dir+"/uuid", "other")
	}
	if raw, err := os.ReadFile(dir + "/id"); err != nil || string(raw) != "0123456789abcdef0123456789abcdef\n" {
		t.Errorf("%q, %v", raw, err)
	}
}

func TestAwaitSocketGivesUp(t *testing.T) {
	if err := awaitSocket(filepath.Join(t.TempDir(), "none"), time.Millisecond); err == nil {
		t.Error("no error")
	}
}

func TestEntrypointWantsToBePID1(t *testing.T) {
	if code := run("entrypoint", nil); code != 1 {
		t.Errorf("code %d", code)
	}
}
