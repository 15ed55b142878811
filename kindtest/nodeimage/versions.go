package nodeimage

// Every version that the node image is made of. The module files below recipe/
// pin the same versions with everything that they need, by checksum; a test
// keeps the two in step.
const (
	Kubernetes = "v1.36.3"
	Containerd = "v2.3.7"
	CNIPlugins = "v1.9.1"
	Etcd       = "v3.6.8"
	CoreDNS    = "v1.14.2"
	Pause      = "3.10.2"
)

// etcdTag is the tag of the etcd image that kubeadm of this Kubernetes asks
// for (kubeadm's DefaultEtcdVersion).
const etcdTag = "3.6.8-0"

// proxyPackages are the Debian packages that kube-proxy's image consists of.
func proxyPackages() []string {
	return []string{
		"libc6", "iptables", "libip4tc2", "libip6tc2", "libxtables12", "libnftnl11", "libmnl0",
		"libnetfilter-conntrack3", "libnfnetlink0", "nftables", "libnftables1", "libedit2", "libgmp10",
		"libjansson4", "libbsd0", "libmd0", "libtinfo6", "conntrack",
	}
}

// nodePackages are the Debian packages of the node itself.
func nodePackages() []string {
	return append(proxyPackages(),
		"busybox-static", "bash", "mount", "libmount1", "libblkid1", "libselinux1", "libpcre2-8-0",
		"libsmartcols1", "runc", "libseccomp2")
}
