package nodestore

import (
	"context"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// loadScript tells what the node has of the images that its arguments select;
// on a first line what else it has; and after a second line with the name of a
// snapshotter it imports an archive and tells of the images again.
const loadScript = `set -e
ctr --namespace=k8s.io images ls "$@"
echo --
read -r more || exit 0
ctr --namespace=k8s.io content ls -q
echo --
containerd config dump
echo --
read -r snapshotter || exit 0
ctr --namespace=k8s.io images import --snapshotter="$snapshotter" - >/dev/null
ctr --namespace=k8s.io images ls "$@"
echo --`

// load returns how many bytes were sent, 0 when the node has the image.
func (n *node) load(ctx context.Context, from layout.Path, p *plan, names []string) (int64, error) {
	found, sent, err := n.send(ctx, from, p, names, false)
	if err != nil && sent > 0 && ctx.Err() == nil {
		// What was there may have been collected in between, together with
		// the image that it belonged to.
		found, sent, err = n.send(ctx, from, p, names, true)
	}
	digest := p.root.Digest.String()
	if err != nil || allThere(found, names, digest) {
		return sent, err
	}
	return sent, n.awaitManaged(ctx, names, digest)
}

// send imports what the node lacks of an image, or all of it, and returns the
// records of its names; nothing is sent when they are there already.
func (n *node) send(ctx context.Context, from layout.Path, p *plan, names []string, all bool) (found map[string]imageRecord, sent int64, err error) {
	d, err := n.talk(ctx, loadScript, filters(names))
	if err != nil {
		return nil, 0, err
	}
	found, sent, err = n.converse(d, from, p, names, all)
	if ended := d.end(); ended != nil {
		err = ended // why the rest failed
	}
	return found, sent, err
}

func (n *node) converse(d *dialogue, from layout.Path, p *plan, names []string, all bool) (map[string]imageRecord, int64, error) {
	found, err := n.records(d)
	if err != nil || allThere(found, names, p.root.Digest.String()) {
		return found, 0, err
	}
	have, err := n.inventory(d)
	if err != nil {
		return nil, 0, err
	}
	blobs := p.blobs
	if !all {
		blobs = missing(p.blobs, have.content)
	}
	if err := d.tell(have.snapshotter); err != nil {
		return nil, 0, err
	}
	archive := &countingWriter{w: d.in}
	if err := errors.Join(writeArchive(archive, from, p.root, names, blobs), d.in.Close()); err != nil {
		return nil, archive.n, err
	}
	found, err = n.records(d)
	return found, archive.n, err
}

// records reads the images that the script lists.
func (n *node) records(d *dialogue) (map[string]imageRecord, error) {
	table, whole := d.section()
	return parseImages([]byte(table)), n.broken(whole, table)
}

// inventory asks for more.
func (n *node) inventory(d *dialogue) (*inventory, error) {
	if err := d.tell("more"); err != nil {
		return nil, err
	}
	content, _ := d.section()
	dump, whole := d.section()
	if !whole {
		return nil, n.broken(whole, dump)
	}
	return parseInventory(n.container, content, dump)
}

// broken is an error for a section that has no end.
func (n *node) broken(whole bool, text string) error {
	if whole {
		return nil
	}
	return fmt.Errorf("node %s: cannot read what it has: %q", n.container, text)
}

// missing returns the blobs that are not there, each once.
func missing(blobs []v1.Descriptor, have map[string]bool) []v1.Descriptor {
	var out []v1.Descriptor
	seen := make(map[v1.Hash]bool)
	for _, b := range blobs {
		if !have[b.Digest.String()] && !seen[b.Digest] {
			out = append(out, b)
		}
		seen[b.Digest] = true
	}
	return out
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
