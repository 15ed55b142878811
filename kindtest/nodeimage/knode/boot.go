//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// reached is the line that kind waits for (nodes without cgroup v1).
const reached = "Reached target Multi-User System."

// halt is SIGRTMIN+3, by which container engines stop a systemd.
const halt = syscall.Signal(37)

// boot is PID 1: it returns when the node is told to stop.
func boot(log *logger) int {
	stop := make(chan os.Signal, 4)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT, halt)
	log.note(os.Setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"))
	reap := newReaper()
	go reap.run()
	prepare(log)
	v2, err := makeCgroups("/sys/fs/cgroup")
	log.note(err)
	log.note(giveResolver(log))

	services := newServices(reap, log)
	log.note(serve(controlSocket, services, log))
	containerd, kubelet := services["containerd"], services["kubelet"]
	containerd.start()
	log.note(awaitSocket(containerdSocket, startTime))
	// After a restart of the node's container the cluster is there already.
	if _, err := os.Stat(kubeletConfig); err == nil {
		kubelet.start()
	}
	if !v2 {
		log.printf("detected cgroup v1")
	}
	fmt.Println(reached)

	log.printf("stopping: %v", <-stop)
	kubelet.stop()
	containerd.stop()
	_ = syscall.Kill(-1, syscall.SIGTERM)
	reap.awaitChildless(300 * time.Millisecond)
	return 0
}

// prepare makes of the container what the components expect of a machine.
func prepare(log *logger) {
	// Mounts of the node must reach the pods, as systemd arranges it.
	if err := syscall.Mount("", "/", "", syscall.MS_SHARED|syscall.MS_REC, ""); err != nil {
		log.printf("make / shared: %v", err)
	}
	for _, dir := range []string{
		"/run/lock", "/run/containerd", "/var/log/pods", "/var/log/containers", "/var/lib/kubelet", "/etc/kubernetes/manifests",
	} {
		log.note(os.MkdirAll(dir, 0o755))
	}
	// kubeadm and runc take this folder for a running systemd.
	log.note(os.RemoveAll("/run/systemd"))
	log.note(makeMachineID("/etc/machine-id", "/proc/sys/kernel/random/uuid"))
	for key, value := range kernelSettings() {
		err := os.WriteFile("/proc/sys/"+key, []byte(value), 0o644)
		if !errors.Is(err, fs.ErrNotExist) { // a kernel without IPv6
			log.note(err)
		}
	}
}

func kernelSettings() map[string]string {
	return map[string]string{
		"net/ipv4/ip_forward":              "1",
		"net/ipv4/conf/all/forwarding":     "1",
		"net/ipv6/conf/all/forwarding":     "1",
		"net/ipv4/conf/all/rp_filter":      "0",
		"net/ipv4/conf/default/rp_filter":  "0",
		"net/ipv4/conf/all/arp_ignore":     "0",
		"net/ipv4/conf/all/route_localnet": "1",
	}
}

// makeMachineID gives the node an identity of its own, machine-id(5), unless it
// has one.
func makeMachineID(path, uuid string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	raw, err := os.ReadFile(uuid)
	if err != nil {
		return err
	}
	id := strings.ReplaceAll(strings.TrimSpace(string(raw)), "-", "")
	return os.WriteFile(path, []byte(id+"\n"), 0o444)
}

// awaitSocket returns when something accepts connections on a unix socket.
func awaitSocket(path string, limit time.Duration) error {
	deadline := time.After(limit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := net.Dial("unix", path)
		if err == nil {
			return c.Close()
		}
		select {
		case <-deadline:
			return fmt.Errorf("%s does not answer after %v: %w", path, limit, err)
		case <-tick.C:
		}
	}
}
