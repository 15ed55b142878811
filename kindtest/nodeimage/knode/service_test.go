//go:build linux

package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// commonReaper is the one reaper of this process: two would take the ends of
// each other's children.
var commonReaper = sync.OnceValue(func() *reaper {
	r := newReaper()
	go r.run()
	return r
})

// testNode serves a service of which every start is recorded in a file.
func testNode(t *testing.T, script string) (services map[string]*service, socket, folder string) {
	t.Helper()
	folder = t.TempDir()
	reap := commonReaper()
	s := &service{
		name: "kubelet", log: filepath.Join(folder, "kubelet.log"), reap: reap, notes: newLogger(io.Discard),
		command: func() ([]string, error) { return []string{"/bin/sh", "-c", script}, nil },
	}
	services = map[string]*service{"kubelet": s}
	socket = filepath.Join(folder, "s")
	if err := serve(socket, services, newLogger(io.Discard)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	return services, socket, folder
}

func call(t *testing.T, socket, line string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	code := systemctl(strings.Fields(line), socket, &out, &out)
	return code, out.String()
}

func TestSystemctl(t *testing.T) {
	_, socket, folder := testNode(t, "echo started; exec sleep 1000")
	steps := []struct {
		line string
		code int
		text string
	}{
		{"daemon-reload", 0, ""},
		{"enable kubelet", 0, ""},
		{"is-active kubelet", 3, "inactive"},
		{"status crio", 4, "could not be found"},
		{"start", 1, "no unit"},
		{"", 1, "usage"},
		{"dance kubelet", 1, "Unknown command verb"},
		{"is-enabled kubelet.service", 0, "enabled"},
		{"start kubelet", 0, ""},
		{"start kubelet", 0, ""},
	}
	for _, s := range steps {
		if code, text := call(t, socket, s.line); code != s.code || !strings.Contains(text, s.text) {
			t.Errorf("systemctl %s: %d %q, want %d %q", s.line, code, text, s.code, s.text)
		}
	}
	// A process that is signalled before its first line would never write it.
	log := filepath.Join(folder, "kubelet.log")
	first := awaitPid(t, socket, 0)
	awaitLog(t, log, "started\n")
	if code, _ := call(t, socket, "restart kubelet"); code != 0 {
		t.Errorf("restart: %d", code)
	}
	second := awaitPid(t, socket, first)
	awaitLog(t, log, "started\nstarted\n")
	if alive(first) || !alive(second) {
		t.Errorf("after restart: old process alive %v, new %v", alive(first), alive(second))
	}
	if code, _ := call(t, socket, "stop kubelet"); code != 0 || alive(second) {
		t.Errorf("stop: %d, still alive %v", code, alive(second))
	}
	if code, text := call(t, socket, "is-active kubelet"); code != 3 {
		t.Errorf("after stop: %d %s", code, text)
	}
}

func TestServiceIsStartedAgain(t *testing.T) {
	services, _, folder := testNode(t, "echo again; exit 3")
	services["kubelet"].start()
	awaitLog(t, filepath.Join(folder, "kubelet.log"), "again\nagain\n")
	services["kubelet"].stop()
	services["kubelet"].stop() // a second time is nothing
	if pid := services["kubelet"].active(); pid != 0 {
		t.Errorf("pid %d after stop", pid)
	}
}

func TestSystemctlWithoutNode(t *testing.T) {
	if code, text := call(t, filepath.Join(t.TempDir(), "none"), "start kubelet"); code != 1 || text == "" {
		t.Errorf("%d %q", code, text)
	}
}

// awaitPid returns the main process once it is another one than old.
func awaitPid(t *testing.T, socket string, old int) int {
	t.Helper()
	var pid int
	await(t, "a new process", func() bool {
		_, text := call(t, socket, "status kubelet")
		_, after, _ := strings.Cut(text, "Main PID: ")
		pid, _ = strconv.Atoi(strings.TrimSpace(after))
		return pid != 0 && pid != old
	})
	return pid
}

func awaitLog(t *testing.T, path, prefix string) {
	t.Helper()
	await(t, prefix+" in the log", func() bool {
		raw, err := os.ReadFile(path)
		return err == nil && strings.HasPrefix(string(raw), prefix)
	})
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("%s: not in time", what)
		case <-tick.C:
		}
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }
