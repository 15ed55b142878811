package nodeimage

import (
	"maps"
	"slices"
)

// binary is a Go program of the image: where its module's files come from, what
// is built in it and how.
type binary struct {
	name    string   // of the file, and of its key
	module  string   // folder below recipe, or empty for a program of this module
	program string   // folder of a program of this module
	pkg     string   // import path to build, "." for the module's own main package
	tags    string   // build tags
	stamp   []string // -X settings of the linker
}

// files returns the module that the binary is built in.
func (b binary) files() (map[string][]byte, error) {
	if b.program != "" {
		return programSource(b.program)
	}
	return source("recipe/" + b.module)
}

// args returns the arguments of go that build the binary to output.
func (b binary) args(output string) []string {
	ldflags := "-s -w"
	for _, x := range b.stamp {
		ldflags += " -X " + x
	}
	args := []string{"build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", ldflags, "-o", output}
	if b.tags != "" {
		args = append(args, "-tags", b.tags)
	}
	return append(args, b.pkg)
}

func shimBinary() binary { return binary{name: "runc-shim", program: "runcshim", pkg: "."} }

// binaries lists the programs of the image, small ones first: what is wrong
// with the host shows early.
func binaries() []binary {
	all := []binary{
		shimBinary(),
		{name: "knode", program: "knode", pkg: "."},
		{name: "pause", program: "pause", pkg: "."},
	}
	for _, p := range cniPlugins() {
		all = append(all, binary{name: p.name, module: "cni", pkg: "github.com/containernetworking/plugins/plugins/" + p.folder + "/" + p.name})
	}
	const ctd = "github.com/containerd/containerd/v2"
	for _, name := range []string{"containerd", "containerd-shim-runc-v2", "ctr"} {
		all = append(all, binary{
			name: name, module: "containerd", pkg: ctd + "/cmd/" + name,
			tags:  "no_btrfs no_zfs no_devmapper no_aufs",
			stamp: []string{ctd + "/version.Version=" + Containerd},
		})
	}
	return append(all,
		binary{name: "etcd", module: "etcd", pkg: "go.etcd.io/etcd/server/v3"},
		binary{name: "coredns", module: "coredns", pkg: "."},
		binary{name: "hyperkube", module: "hyperkube", pkg: ".", stamp: kubernetesStamp()})
}

type cniPlugin struct{ folder, name string }

func cniPlugins() []cniPlugin {
	return []cniPlugin{{"main", "ptp"}, {"ipam", "host-local"}, {"main", "loopback"}, {"meta", "portmap"}}
}

// kubernetesStamp sets the version that Kubernetes reports, as its own build
// does. Commit and date are constant, so that equal sources give equal bytes.
func kubernetesStamp() []string {
	const version = "k8s.io/component-base/version."
	values := map[string]string{
		"gitVersion": Kubernetes, "gitMajor": "1", "gitMinor": minor(Kubernetes), "gitTreeState": "clean",
		"gitCommit": "0000000000000000000000000000000000000000", "buildDate": "2026-01-01T00:00:00Z",
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(values)) {
		out = append(out, version+k+"="+values[k])
	}
	return out
}
