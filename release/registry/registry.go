// Package registry is what a release does in a container registry: it pushes
// the bundle that was tested, by digest and byte for byte, gives it its tags,
// and puts the chart where Helm looks for it.
//
// Each step looks first and then does what is missing, so that a release that
// died is finished by running it again. What an index names is uploaded before
// the index: a manifest that is there is complete. A tag with a full version is
// never overwritten, and a moving tag (1.4, 1) names the highest version of its
// line, whoever asks and in whatever order: two releases at once come to the
// same end. The steps are told to the journal of the repository.
package registry

import (
	"context"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
)

// Source is where a bundle comes from: a Layout, or a repository.Repository for
// a promotion.
type Source interface {
	// Manifest returns a manifest by its digest, checked, or nil.
	Manifest(ctx context.Context, digest string) (*repository.Manifest, error)
	// Layer returns a blob; its content is checked while it is read.
	Layer(ctx context.Context, desc v1.Descriptor) (v1.Layer, error)
}

// maxManifests bounds the manifests of one bundle.
const maxManifests = 500

// Push makes a manifest or an index and all that it names be in the repository.
// What is there is not sent again; within one registry blobs are mounted.
func Push(ctx context.Context, to *repository.Repository, from Source, digest evidence.Digest) error {
	there, err := to.Head(ctx, string(digest))
	if err != nil || there == digest {
		return err
	}
	g := &graph{from: from, blobs: map[v1.Hash]v1.Descriptor{}, seen: map[evidence.Digest]bool{}}
	if err := g.add(ctx, digest); err != nil {
		return fmt.Errorf("push %s to %s: %w", digest, to, err)
	}
	if err := g.upload(ctx, to); err != nil {
		return err
	}
	for _, m := range g.manifests {
		if err := to.PutManifest(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// graph is what a manifest names.
type graph struct {
	from      Source
	manifests []*repository.Manifest // each after what it names
	order     []v1.Hash              // of the blobs
	blobs     map[v1.Hash]v1.Descriptor
	seen      map[evidence.Digest]bool
}

func (g *graph) add(ctx context.Context, digest evidence.Digest) error {
	if g.seen[digest] {
		return nil
	}
	if g.seen[digest] = true; len(g.seen) > maxManifests {
		return fmt.Errorf("more than %d manifests", maxManifests)
	}
	m, err := g.from.Manifest(ctx, string(digest))
	if err != nil {
		return err
	}
	if m == nil {
		return fmt.Errorf("manifest %s is missing in %s", digest, g.from)
	}
	var named struct {
		Config    *v1.Descriptor
		Layers    []v1.Descriptor
		Manifests []v1.Descriptor
	}
	if err := json.Unmarshal(m.Raw, &named); err != nil {
		return fmt.Errorf("manifest %s: %w", digest, err)
	}
	if named.Config != nil {
		g.blob(*named.Config)
	}
	for _, layer := range named.Layers {
		g.blob(layer)
	}
	for _, child := range named.Manifests {
		if !isManifest(child.MediaType) {
			return fmt.Errorf("index %s names %s of type %q, which is no manifest", digest, child.Digest, child.MediaType)
		}
		if err := g.add(ctx, evidence.Digest(child.Digest.String())); err != nil {
			return err
		}
	}
	g.manifests = append(g.manifests, m)
	return nil
}

func isManifest(t types.MediaType) bool { return t.IsImage() || t.IsIndex() }

func (g *graph) blob(desc v1.Descriptor) {
	if _, ok := g.blobs[desc.Digest]; !ok {
		g.order = append(g.order, desc.Digest)
		g.blobs[desc.Digest] = desc
	}
}

func (g *graph) upload(ctx context.Context, to *repository.Repository) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(to.Jobs())
	for _, digest := range g.order {
		group.Go(func() error {
			layer, err := g.from.Layer(ctx, g.blobs[digest])
			if err != nil {
				return fmt.Errorf("push %s to %s: %w", digest, to, err)
			}
			return to.PutBlob(ctx, layer)
		})
	}
	return group.Wait()
}
