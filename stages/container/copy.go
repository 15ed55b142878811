package container

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/container/blob"
)

// missing says that an image is not there, or not for the platform.
type missing struct{ what string }

func (m *missing) Error() string { return m.what }

// eachImage calls do for every image in the index, lists within it included.
// What is no image (an attestation, a signature) is left out.
func eachImage(index v1.ImageIndex, do func(v1.Descriptor, v1.Image) error) error {
	m, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, desc := range m.Manifests {
		if desc.MediaType.IsIndex() {
			inner, err := index.ImageIndex(desc.Digest)
			if err != nil {
				return err
			}
			if err := eachImage(inner, do); err != nil {
				return err
			}
			continue
		}
		if !desc.MediaType.IsImage() || desc.Platform != nil && desc.Platform.OS == "unknown" {
			continue
		}
		img, err := index.Image(desc.Digest)
		if err != nil {
			return err
		}
		if err := do(desc, img); err != nil {
			return err
		}
	}
	return nil
}

// platformOf reads the platform from the descriptor, else from the image's
// configuration; nil means that it has none.
func platformOf(desc v1.Descriptor, img v1.Image) (*v1.Platform, error) {
	if desc.Platform != nil {
		return desc.Platform, nil
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	return config.Platform(), nil
}

// pick returns the first image for the platform.
func pick(index v1.ImageIndex, want v1.Platform) (found v1.Image, err error) {
	err = eachImage(index, func(desc v1.Descriptor, img v1.Image) error {
		if found != nil {
			return nil
		}
		platform, err := platformOf(desc, img)
		if err == nil && platform != nil && platform.Satisfies(want) {
			found = img
		}
		return err
	})
	if err == nil && found == nil {
		err = &missing{"has no image for " + want.String()}
	}
	return found, err
}

// copier copies layers of foreign images into the store, each once, and looks
// for secrets in them.
type copier struct {
	*bundler
	there map[string]bool // paths in the layers; nil when nobody asks
	done  map[v1.Hash]blob.Layer
}

// layers copies the layers of an image, bytes as they are.
func (c *copier) layers(ctx context.Context, img v1.Image) ([]blob.Layer, error) {
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	if len(layers) != len(config.RootFS.DiffIDs) {
		return nil, &missing{fmt.Sprintf("has %d layers and configures %d", len(layers), len(config.RootFS.DiffIDs))}
	}
	copied := make([]blob.Layer, len(layers))
	for i, l := range layers {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if copied[i], err = c.layer(l); err != nil {
			return nil, err
		}
		copied[i].DiffID = config.RootFS.DiffIDs[i]
	}
	return copied, nil
}

func (c *copier) layer(l v1.Layer) (copied blob.Layer, err error) {
	digest, err := l.Digest()
	if err != nil {
		return copied, err
	}
	if known, ok := c.done[digest]; ok {
		return known, nil
	}
	mediaType, err := l.MediaType()
	if err != nil {
		return copied, err
	}
	if !mediaType.IsDistributable() {
		return copied, &missing{fmt.Sprintf("has the layer %s, which may not be distributed", digest)}
	}
	r, err := l.Compressed()
	if err != nil {
		return copied, err
	}
	defer r.Close()
	desc, err := c.store.Copy(mediaType, r)
	if err != nil {
		return copied, err
	}
	if desc.Digest != digest {
		return copied, fmt.Errorf("layer %s came as %s", digest, desc.Digest)
	}
	copied = blob.Layer{Descriptor: desc}
	copied.MediaType = ociType(mediaType)
	c.done[digest] = copied
	return copied, c.scan(digest)
}

// scan looks for secrets in a stored layer and notes its paths.
func (c *copier) scan(digest v1.Hash) error {
	f, err := os.Open(c.store.Path(digest))
	if err != nil {
		return err
	}
	defer f.Close()
	found, err := scanArchive(f, func(name string) {
		if c.there != nil {
			c.there[name] = true
		}
	})
	c.suspect(found)
	return err
}

// ociType is OCI's name for docker's type of the same bytes.
func ociType(t types.MediaType) types.MediaType {
	switch t {
	case types.DockerLayer:
		return types.OCILayer
	case types.DockerUncompressedLayer:
		return types.OCIUncompressedLayer
	}
	return t
}

// image copies a whole image, manifest and configuration unchanged.
func (c *copier) image(ctx context.Context, desc v1.Descriptor, img v1.Image) (done image, err error) {
	platform, err := platformOf(desc, img)
	if err != nil {
		return done, err
	}
	if _, err := c.layers(ctx, img); err != nil {
		return done, err
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return done, err
	}
	m, err := img.Manifest()
	if err != nil {
		return done, err
	}
	raw, err := img.RawManifest()
	if err != nil {
		return done, err
	}
	stored, err := c.store.Put(m.Config.MediaType, config)
	if err != nil {
		return done, err
	}
	done = image{config: stored.Digest, size: pullSize(m)}
	done.desc, err = c.store.Copy(desc.MediaType, bytes.NewReader(raw))
	done.desc.Platform = platform
	return done, err
}

// baseFailure tells whose fault an unreadable base is.
func (b *bundler) baseFailure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	base := b.service.Image.Base
	var gone *missing
	if errors.As(err, &gone) {
		return b.setting("image.base", fmt.Errorf("%s %w", base, err))
	}
	if b.localBase {
		return b.setting("image.base", fmt.Errorf("%s: %w", base, err))
	}
	var answer *transport.Error
	if errors.As(err, &answer) {
		switch answer.StatusCode {
		case http.StatusNotFound:
			return b.setting("image.base", fmt.Errorf("%s is not in the registry", base))
		case http.StatusUnauthorized, http.StatusForbidden:
			return &pipeline.NotTested{
				Why: "the registry does not let us read " + base, Err: err,
				Remedy: "run `docker login`, or correct image.base",
			}
		}
	}
	return &pipeline.NotTested{
		Why: "cannot read the base image " + base, Err: err, Transient: true,
		Remedy: "check the network, or keep the base as an OCI layout beside the service",
	}
}
