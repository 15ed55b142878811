//go:build linux

package main

import (
	"os"
	"strings"
)

const (
	kubeletConfig = "/var/lib/kubelet/config.yaml"
	kubeadmFlags  = "/var/lib/kubelet/kubeadm-flags.env"
)

// kubeletCommand is what the unit file and kubeadm's drop-in say elsewhere. It
// fails until kubeadm has written its files.
func kubeletCommand() ([]string, error) {
	raw, err := os.ReadFile(kubeadmFlags)
	if err != nil {
		return nil, err
	}
	argv := []string{
		"/usr/bin/kubelet",
		"--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf",
		"--kubeconfig=/etc/kubernetes/kubelet.conf",
		"--config=" + kubeletConfig,
		"--config-dir=/etc/kubernetes/kubelet.conf.d",
	}
	return append(argv, parseFlags(string(raw))...), nil
}

// parseFlags returns the flags that kubeadm wrote as
//
//	KUBELET_KUBEADM_ARGS="--a=b --c=d"
func parseFlags(env string) []string {
	for line := range strings.Lines(env) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "KUBELET_KUBEADM_ARGS="); ok {
			return strings.Fields(strings.Trim(v, `"'`))
		}
	}
	return nil
}
