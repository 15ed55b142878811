package nodeimage

import (
	"fmt"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// hyperkubePath is where the images of the control plane, and the node through
// containerd's store, have the one Kubernetes binary.
const hyperkubePath = "usr/local/bin/hyperkube"

// component is an image that kubeadm wants in the node.
type component struct {
	ref        string
	entrypoint string
	layers     []string
}

// components lists the images by the names that kubeadm of this version gives
// them. The four of Kubernetes share one layer.
func components() []component {
	var all []component
	for _, k := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"} {
		c := component{ref: "registry.k8s.io/" + k + ":" + Kubernetes, entrypoint: k, layers: []string{"hyperkube"}}
		if k == "kube-proxy" {
			c.layers = append(c.layers, "net")
		}
		all = append(all, c)
	}
	return append(all,
		component{"registry.k8s.io/etcd:" + etcdTag, "etcd", []string{"etcd"}},
		component{"registry.k8s.io/coredns/coredns:" + CoreDNS, "/coredns", []string{"coredns"}},
		component{"registry.k8s.io/pause:" + Pause, "/pause", []string{"pause"}})
}

// layerTrees returns what the layers consist of. bin gives the path of a built
// binary; net is the userland of kube-proxy.
func layerTrees(bin map[string]string, net tree) map[string]tree {
	hyperkube := tree{}
	hyperkube.host(hyperkubePath, bin["hyperkube"])
	for _, k := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"} {
		hyperkube.link("usr/local/bin/"+k, "hyperkube")
	}
	etcd, coredns, pause := tree{}, tree{}, tree{}
	etcd.host("usr/local/bin/etcd", bin["etcd"])
	coredns.host("coredns", bin["coredns"])
	pause.host("pause", bin["pause"])
	return map[string]tree{"hyperkube": hyperkube, "etcd": etcd, "coredns": coredns, "pause": pause, "net": net}
}

// packImages writes all images into one archive in the format of "docker save",
// each layer once. Layers are packed in the folder scratch.
func packImages(path, scratch, arch string, trees map[string]tree) error {
	layers := map[string]v1.Layer{}
	for n, t := range trees {
		l, err := newLayer(filepath.Join(scratch, n+".layer"), t)
		if err != nil {
			return fmt.Errorf("layer %s: %w", n, err)
		}
		layers[n] = l
	}
	images := map[name.Reference]v1.Image{}
	for _, c := range components() {
		ref, err := name.NewTag(c.ref)
		if err != nil {
			return err
		}
		var own []v1.Layer
		for _, l := range c.layers {
			own = append(own, layers[l])
		}
		if images[ref], err = newImage(arch, c.entrypoint, own...); err != nil {
			return fmt.Errorf("image %s: %w", c.ref, err)
		}
	}
	return tarball.MultiRefWriteToFile(path, images)
}
