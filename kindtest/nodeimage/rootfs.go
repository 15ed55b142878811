package nodeimage

import (
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// triplet returns the folder that Debian keeps an architecture's libraries in.
func triplet(arch string) (string, error) {
	switch arch {
	case "amd64":
		return "x86_64-linux-gnu", nil
	case "arm64":
		return "aarch64-linux-gnu", nil
	}
	return "", &HostError{What: "no recipe for architecture " + arch, Do: "build on amd64 or arm64"}
}

// userland unpacks packages and leaves out what a node never uses.
func (d debian) userland(ctx context.Context, arch string, packages []string) (tree, error) {
	libs, err := triplet(arch)
	if err != nil {
		return nil, err
	}
	t := newTree()
	if err := d.unpack(ctx, t, packages); err != nil {
		return nil, err
	}
	t.drop(func(name string) bool { return superfluous(name, "usr/lib/"+libs) })
	for _, c := range []string{
		"iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore",
		"arptables", "ebtables",
	} {
		t.link("usr/sbin/"+c, "xtables-nft-multi")
	}
	return t, nil
}

// superfluous matches documentation, translations and tools for developing.
func superfluous(name, libs string) bool {
	dir, base := path.Split(name)
	switch strings.TrimSuffix(dir, "/") {
	case "usr/share":
		return slices.Contains([]string{
			"doc", "man", "locale", "lintian", "bash-completion", "info", "menu", "bug", "gdb", "readline",
		}, base)
	case "usr/lib":
		return base == "systemd" || base == "locale"
	case "usr/sbin":
		return slices.Contains([]string{"ldconfig", "iconvconfig", "zic"}, base)
	case "usr/bin":
		return slices.Contains([]string{
			"localedef", "iconv", "locale", "getconf", "ldd", "zdump", "sotruss", "sprof", "pldd", "catchsegv",
			"gencat", "tzselect", "bashbug", "makedb",
		}, base)
	case libs:
		if base == "gconv" || base == "audit" {
			return true
		}
		return slices.ContainsFunc([]string{"libpcprofile.so", "libmemusage.so", "libmvec.so", "libc_malloc_debug.so"},
			func(p string) bool { return strings.HasPrefix(base, p) })
	}
	return false
}

// furnish adds the rest of the node to its userland: folders, accounts,
// configuration and our binaries.
func furnish(t tree, bin map[string]string, files map[string][]byte) {
	for _, d := range []string{
		"dev", "proc", "sys", "run", "root", "etc", "opt/cni/bin", "kind/manifests", "var/lib", "var/log",
		"usr/local/bin", "usr/local/sbin",
	} {
		if !t.has(d) {
			t.dir(d, 0o755)
		}
	}
	t.dir("tmp", os.ModeSticky|0o777)
	t.dir("var/tmp", os.ModeSticky|0o777)
	t.link("var/run", "/run")
	t.file("etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"))
	t.file("etc/group", 0o644, []byte("root:x:0:\nnogroup:x:65534:\n"))
	t.file("etc/nsswitch.conf", 0o644, []byte("hosts: files dns\n"))
	t.file("etc/os-release", 0o644, []byte("PRETTY_NAME=\"knode (Debian userland)\"\nNAME=\"knode\"\nID=debian\n"))
	for name, raw := range files {
		t.file(name, 0o644, raw)
	}
	t.file("kind/version", 0o644, []byte(Kubernetes))
	for _, p := range cniPlugins() {
		t.host("opt/cni/bin/"+p.name, bin[p.name])
	}
	for _, b := range []string{"containerd", "containerd-shim-runc-v2", "ctr", "knode"} {
		t.host("usr/local/bin/"+b, bin[b])
	}
	t.host("usr/local/sbin/runc-shim", bin["runc-shim"])
	for _, c := range []string{"entrypoint", "systemctl", "journalctl", "pgrep"} {
		t.link("usr/local/bin/"+c, "knode")
	}
	for _, c := range []string{"kubelet", "kubeadm", "kubectl"} {
		t.link("usr/bin/"+c, "hyperkube")
	}
}

// addApplets links every command that busybox knows and the node lacks. The
// list comes from the busybox itself: it differs between releases.
func addApplets(ctx context.Context, t tree, scratch string) error {
	busybox, ok := t["usr/bin/busybox"]
	if !ok {
		return fmt.Errorf("busybox-static brought no usr/bin/busybox")
	}
	program := path.Join(scratch, "busybox")
	if err := os.WriteFile(program, busybox.data, 0o755); err != nil {
		return err
	}
	out, err := proc.Cmd{Args: []string{program, "--list"}}.Output(ctx)
	if err != nil {
		return err
	}
	for _, a := range strings.Fields(string(out)) {
		if !t.has("usr/bin/"+a) && !t.has("usr/sbin/"+a) && !t.has("usr/local/bin/"+a) {
			t.link("usr/bin/"+a, "busybox")
		}
	}
	t.link("usr/bin/sh", "bash")
	return nil
}
