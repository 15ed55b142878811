package nodestore

import (
	"context"
	"fmt"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// node is a container of an engine in which containerd runs.
type node struct {
	engine, container string
	platform          v1.Platform
}

// parseProviderID reads the form "kind://ENGINE/CLUSTER/CONTAINER" that kind
// gives to its nodes.
func parseProviderID(id string) (engine, container string, ok bool) {
	rest, ok := strings.CutPrefix(id, "kind://")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 || parts[0] == "" || parts[2] == "" {
		return "", "", false
	}
	return parts[0], parts[2], true
}

func (n *node) exec(ctx context.Context, args ...string) ([]byte, error) {
	return proc.Cmd{Args: append([]string{n.engine, "exec", n.container}, args...)}.Output(ctx)
}

func (n *node) ctr(ctx context.Context, args ...string) ([]byte, error) {
	return n.exec(ctx, append([]string{"ctr", "--namespace=k8s.io"}, args...)...)
}

// imageRecord is an image as containerd lists it.
type imageRecord struct {
	digest  string
	managed bool // Kubernetes' interface to containerd knows it
}

// images returns the records of the given names.
func (n *node) images(ctx context.Context, names []string) (map[string]imageRecord, error) {
	out, err := n.ctr(ctx, append([]string{"images", "ls"}, filters(names)...)...)
	return parseImages(out), err
}

// parseImages reads the table REF TYPE DIGEST SIZE PLATFORMS LABELS.
func parseImages(table []byte) map[string]imageRecord {
	found := make(map[string]imageRecord)
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) < 3 || !strings.HasPrefix(f[2], "sha256:") {
			continue
		}
		found[f[0]] = imageRecord{digest: f[2], managed: strings.Contains(f[len(f)-1], "io.cri-containerd.image=managed")}
	}
	return found
}

// inventory is what a node has.
type inventory struct {
	content map[string]bool // digests of the blobs in the store
	// snapshotter is the one that Kubernetes uses on this node; images have to be
	// unpacked by the same.
	snapshotter string
}

func parseInventory(container, content, dump string) (*inventory, error) {
	inv := &inventory{content: map[string]bool{}, snapshotter: parseSnapshotter(dump)}
	for _, digest := range strings.Fields(content) {
		inv.content[digest] = true
	}
	if inv.snapshotter == "" {
		return nil, fmt.Errorf("node %s: containerd's configuration names no snapshotter", container)
	}
	return inv, nil
}

// filters select images by their names.
func filters(names []string) []string {
	var out []string
	for _, name := range names {
		out = append(out, fmt.Sprintf("name==%q", name))
	}
	return out
}

// read returns a blob of the node's store.
func (n *node) read(ctx context.Context, digest v1.Hash) ([]byte, error) {
	return n.ctr(ctx, "content", "get", digest.String())
}

// parseSnapshotter finds the key in containerd's dump: versions 3 and 4 have a
// plugin for images, version 2 one for all of Kubernetes' interface.
func parseSnapshotter(dump string) string {
	section, found := "", ""
	for line := range strings.Lines(dump) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = strings.NewReplacer("'", "", `"`, "", "[", "", "]", "").Replace(line)
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		if strings.TrimSpace(key) != "snapshotter" {
			continue
		}
		if section == "plugins.io.containerd.cri.v1.images" || section == "plugins.io.containerd.grpc.v1.cri.containerd" {
			found = strings.Trim(strings.TrimSpace(value), `'"`)
		}
	}
	return found
}

// awaitManaged waits until Kubernetes' interface has noticed the images: it
// learns of them by an event, and a pod created before that would try to pull.
func (n *node) awaitManaged(ctx context.Context, names []string, digest string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond) // ctr has nothing to watch for this
	defer tick.Stop()
	for {
		found, err := n.images(ctx, names)
		if err != nil {
			return err
		}
		if allThere(found, names, digest) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("node %s: images %s were imported and Kubernetes does not see them: %w", n.container, strings.Join(names, ", "), context.Cause(ctx))
		}
	}
}

func allThere(found map[string]imageRecord, names []string, digest string) bool {
	for _, name := range names {
		if found[name].digest != digest || !found[name].managed {
			return false
		}
	}
	return true
}
