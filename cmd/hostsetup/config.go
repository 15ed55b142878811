package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"gitlab.com/selfcontained/pipeline/kindtest/nodeimage"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// daemonConfig renders dockerd's configuration for the version that it prints
// with --version. shim is empty on a host that needs none.
func daemonConfig(version, shim, key string) ([]byte, error) {
	config := map[string]any{
		"log-driver": "json-file",
		"log-opts":   map[string]string{"max-size": "10m", "max-file": "2"},
	}
	if shim != "" {
		config["runtimes"] = map[string]any{"runc-shim": map[string]string{"path": shim}}
		config["default-runtime"] = "runc-shim"
	}
	// Docker 20.10 writes a key to /etc/docker unless told another place. The
	// versions after it write none and refuse the option.
	if strings.HasPrefix(version, "Docker version 20.") {
		config["deprecated-key-path"] = key
	}
	return json.MarshalIndent(config, "", "  ")
}

// podmanConfig renders containers.conf(5) for a host that needs the shim.
func podmanConfig(shim string) string {
	return `[engine]
runtime = "runc-shim"
cgroup_manager = "cgroupfs"
events_logger = "file"
[engine.runtimes]
runc-shim = ["` + shim + `"]
`
}

// dockerdArgs returns dockerd's argument vector.
func (h host) dockerdArgs() []string {
	return []string{
		"dockerd",
		"--config-file", h.config(),
		"--data-root", h.data(),
		"--exec-root", h.execRoot(),
		"--pidfile", h.pidFile(),
		"--host", h.dockerHost(),
	}
}

// writeConfig writes dockerd's configuration, and the shim where it is needed.
func (h host) writeConfig(ctx context.Context, raise bool) error {
	shim := ""
	if !raise {
		shim = h.shim()
		if err := h.buildShim(ctx); err != nil {
			return err
		}
	}
	version, err := proc.Cmd{Args: []string{"dockerd", "--version"}}.Output(ctx)
	if err != nil {
		return err
	}
	raw, err := daemonConfig(string(version), shim, filepath.Join(h.state, "key.json"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(h.run, 0o711); err != nil {
		return err
	}
	return os.WriteFile(h.config(), raw, 0o644)
}

// buildShim replaces the shim, so that it is the one of these sources.
func (h host) buildShim(ctx context.Context) error {
	h.printf("this host lacks CAP_SYS_RESOURCE: building an OCI runtime that does without, %s", h.shim())
	if err := os.MkdirAll(filepath.Dir(h.shim()), 0o755); err != nil {
		return err
	}
	return nodeimage.BuildShim(ctx, h.shim(), runtime.GOARCH, h.say)
}

// preparePodman writes the configuration that CONTAINERS_CONF will name.
func (h host) preparePodman(ctx context.Context) error {
	if err := h.claim(); err != nil {
		return err
	}
	if _, err := os.Stat(h.shim()); err != nil {
		if err := h.buildShim(ctx); err != nil {
			return err
		}
	}
	return os.WriteFile(h.containersConf(), []byte(podmanConfig(h.shim())), 0o644)
}
