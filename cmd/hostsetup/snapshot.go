package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// snapshot is what dockerd changes on a host beside its own folders, as it was
// before dockerd first started; down goes back to it.
type snapshot struct {
	Rules   map[string]string // iptables-save's output, by command
	Links   []string          // network interfaces
	Forward map[string]string // sysctl file -> value
	Folders []string          // of fixedFolders, those that were there
}

// fixedFolders are those that dockerd and its containerd make outside their
// own whatever they are told: for plugins, and for the sockets of shims.
func fixedFolders() []string {
	return []string{"/opt/containerd", "/run/containerd", "/run/docker"}
}

// remember takes the snapshot, once: a dockerd that died left its traces, which
// are not the host's own.
func (h host) remember(ctx context.Context) error {
	if _, err := os.Stat(h.before()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s, err := h.look(ctx)
	if err != nil {
		return err
	}
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	partial := h.before() + ".partial"
	if err := os.WriteFile(partial, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(partial, h.before())
}

func (h host) recall() (snapshot, error) {
	var s snapshot
	raw, err := os.ReadFile(h.before())
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(raw, &s)
}

// look reads the host as it is.
func (h host) look(ctx context.Context) (snapshot, error) {
	s := snapshot{Rules: map[string]string{}, Forward: map[string]string{}}
	for _, save := range saveCommands() {
		// A command that is missing or that the kernel refuses has no rules.
		out, err := proc.Cmd{Args: []string{save}}.Output(ctx)
		if ctx.Err() != nil {
			return s, err
		}
		if err == nil {
			s.Rules[save] = string(out)
		}
	}
	entries, err := os.ReadDir("/sys/class/net")
	if err != nil {
		return s, err
	}
	for _, e := range entries {
		s.Links = append(s.Links, e.Name())
	}
	for _, file := range []string{"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"} {
		if raw, err := os.ReadFile(file); err == nil {
			s.Forward[file] = strings.TrimSpace(string(raw))
		}
	}
	for _, folder := range fixedFolders() {
		if _, err := os.Stat(folder); err == nil {
			s.Folders = append(s.Folders, folder)
		}
	}
	return s, nil
}

// added returns what is in now and not in before.
func added(before, now []string) []string {
	return slices.DeleteFunc(slices.Clone(now), func(n string) bool { return slices.Contains(before, n) })
}

// saveCommands lists both variants of iptables: which of them dockerd used may
// have been decided after the snapshot.
func saveCommands() []string {
	return []string{"iptables-nft-save", "ip6tables-nft-save", "iptables-legacy-save", "ip6tables-legacy-save"}
}

// bridges returns the interfaces that are there now, were not before, and have
// a name that docker gives to bridges.
func bridges(before, now []string) []string {
	return slices.DeleteFunc(added(before, now), func(l string) bool {
		match, _ := filepath.Match("br-????????????", l)
		return !match && l != "docker0"
	})
}
