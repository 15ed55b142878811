package bundle

import (
	"context"
	"encoding/json"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// What a bundle may consist of: more is refused before any of it is read.
const (
	maxManifests = 500
	maxDepth     = 4
	maxBlobs     = 5000
	maxBytes     = 32 << 30 // of all blobs
)

// graph is everything that the index of a bundle names.
type graph struct {
	manifests map[evidence.Digest][]byte
	blobs     map[v1.Hash]v1.Descriptor
}

// graph reads the manifests of a bundle, level by level.
func (r reader) graph(ctx context.Context, root evidence.Digest, jobs int) (*graph, error) {
	g := &graph{manifests: map[evidence.Digest][]byte{}, blobs: map[v1.Hash]v1.Descriptor{}}
	next := []v1.Descriptor{{Digest: hashOf(root), Size: -1}}
	for depth := 0; len(next) > 0; depth++ {
		if depth > maxDepth || len(g.manifests)+len(next) > maxManifests {
			return nil, r.broken(root, "names more than %d manifests, or nests them deeper than %d", maxManifests, maxDepth)
		}
		raws, err := r.level(ctx, next, jobs)
		if err != nil {
			return nil, err
		}
		level := next
		next = nil
		for i, raw := range raws {
			digest := evidence.Digest(level[i].Digest.String())
			g.manifests[digest] = raw
			children, err := r.named(g, digest, raw)
			if err != nil {
				return nil, err
			}
			next = append(next, children...)
		}
	}
	return g, r.bounded(root, g)
}

func (r reader) level(ctx context.Context, list []v1.Descriptor, jobs int) ([][]byte, error) {
	raws := make([][]byte, len(list))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(jobs)
	for i, desc := range list {
		group.Go(func() (err error) {
			digest := evidence.Digest(desc.Digest.String())
			raws[i], err = r.manifest(ctx, digest)
			if err == nil && desc.Size >= 0 && desc.Size != int64(len(raws[i])) {
				err = r.broken(digest, "has %d bytes; expected %d", len(raws[i]), desc.Size)
			}
			return err
		})
	}
	return raws, group.Wait()
}

// named adds the blobs that a manifest names to the graph, and returns the
// manifests that are not in it yet.
func (r reader) named(g *graph, digest evidence.Digest, raw []byte) ([]v1.Descriptor, error) {
	var named struct {
		Config    *v1.Descriptor
		Layers    []v1.Descriptor
		Manifests []v1.Descriptor
	}
	if err := json.Unmarshal(raw, &named); err != nil {
		return nil, r.broken(digest, "is no manifest: %v", err)
	}
	if named.Config != nil {
		named.Layers = append(named.Layers, *named.Config)
	}
	for _, blob := range named.Layers {
		if known, ok := g.blobs[blob.Digest]; blob.Size < 0 || ok && known.Size != blob.Size {
			return nil, r.broken(digest, "names %s with two sizes or a negative one", blob.Digest)
		}
		g.blobs[blob.Digest] = blob
	}
	var children []v1.Descriptor
	seen := map[v1.Hash]bool{}
	for _, child := range named.Manifests {
		if !child.MediaType.IsImage() && !child.MediaType.IsIndex() {
			return nil, r.broken(digest, "names %s of type %q, which is no manifest", child.Digest, child.MediaType)
		}
		if g.manifests[evidence.Digest(child.Digest.String())] == nil && !seen[child.Digest] {
			children = append(children, child)
			seen[child.Digest] = true
		}
	}
	return children, nil
}

// bounded refuses what would fill the disk.
func (r reader) bounded(root evidence.Digest, g *graph) error {
	var bytes int64
	for _, blob := range g.blobs {
		if bytes += blob.Size; bytes > maxBytes || blob.Size > maxBytes {
			return r.broken(root, "has more than %d GiB of blobs", maxBytes>>30)
		}
	}
	if len(g.blobs) > maxBlobs {
		return r.broken(root, "has %d blobs; at most %d are fetched", len(g.blobs), maxBlobs)
	}
	return nil
}

func hashOf(d evidence.Digest) v1.Hash { return v1.Hash{Algorithm: "sha256", Hex: d.Hex()} }
