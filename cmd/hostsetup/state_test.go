package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func testHost(t *testing.T) host {
	t.Helper()
	return newHost(filepath.Join(t.TempDir(), "state"), io.Discard)
}

func TestPlaces(t *testing.T) {
	h := newHost("", io.Discard)
	if h.dockerHost() != "unix:///run/pipeline-host/docker.sock" || h.data() != "/var/lib/pipeline-host/docker" {
		t.Errorf("%s, %s", h.dockerHost(), h.data())
	}
	o := testHost(t)
	for _, p := range []string{o.socket(), o.pidFile(), o.execRoot(), o.data(), o.config(), o.log(), o.shim(), o.before()} {
		if !strings.HasPrefix(p, o.state+"/") {
			t.Errorf("%s is not below %s", p, o.state)
		}
	}
}

func TestClaim(t *testing.T) {
	h := testHost(t)
	for range 2 {
		if err := h.claim(); err != nil {
			t.Fatal(err)
		}
	}
	foreign := newHost(t.TempDir(), io.Discard)
	if err := os.WriteFile(filepath.Join(foreign.state, "photo.jpg"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := foreign.claim(); err == nil || foreign.claimed() {
		t.Errorf("took a folder with other things in it: %v", err)
	}
	if err := foreign.down(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(foreign.state, "photo.jpg")); err != nil {
		t.Errorf("down removed what is not ours: %v", err)
	}
}

func TestLockKeepsOthersOut(t *testing.T) {
	h := testHost(t)
	unlock, err := h.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.lock(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("second lock: %v", err)
	}
	unlock()
	again, err := h.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestPidOfAnotherProcessIsNotOurs(t *testing.T) {
	h := testHost(t)
	if err := os.MkdirAll(h.run, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{strconv.Itoa(os.Getpid()), "1", "0", "-7", "x", ""} {
		if err := os.WriteFile(h.pidFile(), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if pid := h.pid(); pid != 0 {
			t.Errorf("%q: took pid %d for dockerd", text, pid)
		}
	}
}

func TestCommandLines(t *testing.T) {
	nul := func(args ...string) string { return strings.Join(args, "\x00") + "\x00" }
	h := newHost("", io.Discard)
	if !isDockerd(nul(append([]string{"/usr/sbin/dockerd"}, h.dockerdArgs()[1:]...)...), h.config()) {
		t.Error("our dockerd is not recognised")
	}
	for _, other := range []string{
		nul("/usr/sbin/dockerd", "-H", "fd://"), nul("dockerd", "--config-file", "/etc/docker/daemon.json"),
		nul("vi", "--config-file", h.config()), nul("dockerd", "--config-file"), "", "\x00",
	} {
		if isDockerd(other, h.config()) {
			t.Errorf("%q taken for our dockerd", other)
		}
	}
	ctd := nul("containerd", "--config", h.run+"/docker/containerd/containerd.toml")
	shim := nul("/usr/bin/containerd-shim-runc-v2", "-address", h.run+"/docker/containerd/containerd.sock")
	if !isContainerd(ctd, h.run) || isContainerd(shim, h.run) || !isShim(shim, h.run) || isShim(ctd, h.run) {
		t.Error("containerd and its shims are mixed up")
	}
	if isContainerd(nul("containerd"), h.run) || isShim(nul("containerd-shim", "-address", "/run/containerd/c.sock"), h.run) {
		t.Error("the distribution's containerd taken for ours")
	}
}

func TestInContainer(t *testing.T) {
	for cgroup, want := range map[string]bool{
		"4:memory:/docker/abc/kubelet\n": true, "0::/system.slice/docker-abc.scope\n": true,
		"0::/docker/other\n": false, "0::/\n": false,
	} {
		if got := inContainer(cgroup, []string{"abc"}); got != want {
			t.Errorf("%q: %v", cgroup, got)
		}
	}
	if inContainer("0::/docker/x", nil) {
		t.Error("in none of no containers")
	}
}

func TestDaemonConfig(t *testing.T) {
	raw, err := daemonConfig("Docker version 20.10.24+dfsg1, build 297e128", "/s/runc-shim", "/s/key.json")
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"log-driver": "json-file", "log-opts": map[string]any{"max-size": "10m", "max-file": "2"},
		"runtimes":        map[string]any{"runc-shim": map[string]any{"path": "/s/runc-shim"}},
		"default-runtime": "runc-shim", "deprecated-key-path": "/s/key.json",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	raw, err = daemonConfig("Docker version 26.1.5+dfsg1, build a72d7cd", "", "/s/key.json")
	if err != nil || strings.Contains(string(raw), "runtime") || strings.Contains(string(raw), "key-path") {
		t.Errorf("%s, %v", raw, err)
	}
	if !strings.Contains(podmanConfig("/s/shim"), `runc-shim = ["/s/shim"]`) {
		t.Error("podman is not told where the shim is")
	}
}

func TestDaemonEnvironment(t *testing.T) {
	h := testHost(t)
	env := h.daemonEnvironment([]string{"HOME=/root", "PIPELINE_RUN=7", "DOCKER_HOST=tcp://x", "https_proxy=p"})
	for _, e := range env {
		if strings.HasPrefix(e, "PIPELINE_RUN") || strings.HasPrefix(e, "DOCKER_") {
			t.Errorf("dockerd inherits %s", e)
		}
	}
	if !slices.Contains(env, "https_proxy=p") {
		t.Error("dockerd lost the proxy")
	}
}

func TestLog(t *testing.T) {
	log := "a level=info x\nwarn 1\nlevel=debug\nfatal\n"
	if got := tail(log, 5); got != "warn 1\nfatal" {
		t.Errorf("%q", got)
	}
	if got := tail(log, 1); got != "fatal" {
		t.Errorf("%q", got)
	}
	for log, want := range map[string]bool{
		"iptables v1.8.9 (nf_tables): Could not fetch rule set generation id: Invalid argument": true,
		"iptables failed: iptables --wait -t nat -N DOCKER: iptables v1.8.9 (nf_tables): x":     true,
		"Failed to initialize nft: Protocol not supported":                                      true,
		"no space left on device": false,
	} {
		if nftFails(log) != want {
			t.Errorf("%q: %v", log, !want)
		}
	}
}

func TestForbidServices(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy-rc.d")
	restore, err := forbidServices(path)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(path); err != nil || !strings.Contains(string(raw), "exit 101") {
		t.Errorf("%q, %v", raw, err)
	}
	second, err := forbidServices(path)
	if err != nil {
		t.Fatal(err)
	}
	second()
	if _, err := os.Stat(path); err != nil {
		t.Error("a policy that was there was removed")
	}
	restore()
	if _, err := os.Stat(path); err == nil {
		t.Error("the policy stays")
	}
}
