package container

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"gitlab.com/selfcontained/pipeline/stages/container/archive"
	"gitlab.com/selfcontained/pipeline/stages/container/blob"
)

// baseImage is what an image of ours begins with.
type baseImage struct {
	platform    v1.Platform
	layers      []blob.Layer // of a foreign image, described by history
	history     []v1.History
	parts       []part // ours
	env         []string
	annotations map[string]string
}

// bases returns a base for every binary, in their order, and the paths that
// these have.
func (b *bundler) bases(ctx context.Context, owner archive.Owner) ([]baseImage, map[string]bool, error) {
	if b.service.Image.Base == "" {
		return b.scratch(owner)
	}
	b.job.Say("reading " + b.service.Image.Base)
	index, ref, err := b.openBase(ctx)
	if err != nil {
		return nil, nil, err
	}
	b.base = ref
	data, err := dataLayer(b.store, owner)
	if err != nil {
		return nil, nil, err
	}
	there := map[string]bool{"data": true}
	copier := &copier{bundler: b, there: there, done: map[v1.Hash]blob.Layer{}}
	bases := make([]baseImage, len(b.program.Binaries))
	for i := range b.program.Binaries {
		if bases[i], err = b.foreignBase(ctx, index, i, copier); err != nil {
			return nil, nil, b.baseFailure(ctx, err)
		}
		bases[i].parts = []part{{data, "/data"}}
	}
	return bases, there, nil
}

func (b *bundler) scratch(owner archive.Owner) ([]baseImage, map[string]bool, error) {
	layer, err := scratchLayer(b.store, owner)
	if err != nil {
		return nil, nil, err
	}
	bases := make([]baseImage, len(b.program.Binaries))
	for i, bin := range b.program.Binaries {
		platform, err := v1.ParsePlatform(bin.Platform)
		if err != nil {
			return nil, nil, fmt.Errorf("platform %q: %w", bin.Platform, err)
		}
		bases[i] = baseImage{platform: *platform, parts: []part{{layer, "users, certificates, /tmp and /data"}}}
	}
	return bases, scratchEntries(), nil
}

func (b *bundler) foreignBase(ctx context.Context, index v1.ImageIndex, i int, c *copier) (base baseImage, err error) {
	platform, err := v1.ParsePlatform(b.program.Binaries[i].Platform)
	if err != nil {
		return base, err
	}
	img, err := pick(index, *platform)
	if err != nil {
		return base, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return base, err
	}
	base = baseImage{platform: *platform, env: config.Config.Env, history: config.History}
	if base.layers, err = c.layers(ctx, img); err != nil {
		return base, err
	}
	if !described(config) {
		base.history = make([]v1.History, len(base.layers))
		for i := range base.history {
			base.history[i] = v1.History{Created: epoch(), CreatedBy: "base image"}
		}
	}
	_, digest, _ := strings.Cut(b.base, "@")
	base.annotations = map[string]string{"org.opencontainers.image.base.digest": digest}
	return base, nil
}

// described reports whether the history has one entry for each layer.
func described(c *v1.ConfigFile) bool {
	n := 0
	for _, h := range c.History {
		if !h.EmptyLayer {
			n++
		}
	}
	return n == len(c.RootFS.DiffIDs)
}

// baseLayout returns the folder, relative to the service, of a base that is an
// image layout and not a reference.
func (s *Stage) baseLayout(exists func(string) bool) (dir string, ok bool) {
	base := s.service.Image.Base
	if base == "" {
		return "", false
	}
	clean := path.Clean(filepath.ToSlash(base))
	explicit := strings.HasPrefix(base, "./") || strings.HasPrefix(base, "../") || path.IsAbs(base)
	return clean, explicit || exists(path.Join(clean, "oci-layout"))
}

// openBase returns the base as an index, and its reference by digest.
func (b *bundler) openBase(ctx context.Context) (v1.ImageIndex, string, error) {
	base := b.service.Image.Base
	if dir, ok := b.baseLayout(func(p string) bool { _, err := b.root.Stat(p); return err == nil }); ok {
		b.localBase = true
		if !filepath.IsLocal(dir) {
			return nil, "", b.setting("image.base", fmt.Errorf("%s lies outside of the service", base))
		}
		index, err := layout.ImageIndexFromPath(filepath.Join(b.service.Dir, dir))
		if err != nil {
			return nil, "", b.setting("image.base", fmt.Errorf("%s is not an OCI image layout: %w", base, err))
		}
		digest, err := topDigest(index)
		return index, dir + "@" + digest.String(), err
	}
	ref, err := name.ParseReference(base)
	if err != nil {
		return nil, "", b.setting("image.base", err)
	}
	index, digest, err := pull(ctx, ref)
	if err != nil {
		return nil, "", b.baseFailure(ctx, err)
	}
	if _, pinned := ref.(name.Digest); !pinned {
		fmt.Fprintf(b.job.Log, "image.base: %s is a tag and may move; pin it: %s@%s\n", base, ref.Context(), digest)
	}
	return index, ref.Context().Name() + "@" + digest.String(), nil
}

// topDigest is the digest of what a layout holds, or of its list.
func topDigest(index v1.ImageIndex) (v1.Hash, error) {
	m, err := index.IndexManifest()
	if err != nil {
		return v1.Hash{}, fmt.Errorf("image.base: %w", err)
	}
	if len(m.Manifests) == 1 {
		return m.Manifests[0].Digest, nil
	}
	return index.Digest()
}

// pull opens an image or index in a registry, with docker's credentials.
func pull(ctx context.Context, ref name.Reference) (v1.ImageIndex, v1.Hash, error) {
	desc, err := remote.Get(ref, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		return nil, v1.Hash{}, err
	}
	if desc.MediaType.IsIndex() {
		index, err := desc.ImageIndex()
		return index, desc.Digest, err
	}
	img, err := desc.Image()
	if err != nil {
		return nil, v1.Hash{}, err
	}
	return mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img}), desc.Digest, nil
}
