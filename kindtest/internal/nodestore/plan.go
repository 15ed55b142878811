package nodestore

import (
	"encoding/json"

	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// plan is what a node of one platform needs of an image.
type plan struct {
	root   v1.Descriptor
	config v1.Hash
	blobs  []v1.Descriptor // everything to be there, the root first
}

// manifest is an OCI image index or manifest: image-spec v1.1, image-index.md
// and manifest.md; Docker's types have the same fields.
type manifest struct {
	MediaType types.MediaType `json:"mediaType"`
	Manifests []v1.Descriptor `json:"manifests"`
	Config    v1.Descriptor   `json:"config"`
	Layers    []v1.Descriptor `json:"layers"`
}

// newPlan walks from the root to the image for the platform. read returns the
// content of a manifest.
func newPlan(root v1.Hash, platform v1.Platform, read func(v1.Hash) ([]byte, error)) (*plan, error) {
	content, err := read(root)
	if err != nil {
		return nil, err
	}
	m, err := parse(root, content)
	if err != nil {
		return nil, err
	}
	p := &plan{root: v1.Descriptor{MediaType: m.MediaType, Digest: root, Size: int64(len(content))}}
	p.blobs = append(p.blobs, p.root)
	if m.Manifests == nil {
		p.image(m)
		return p, nil
	}
	child, err := choose(m.Manifests, platform)
	if err != nil {
		return nil, fmt.Errorf("index %s: %w", root, err)
	}
	for _, d := range m.Manifests {
		// containerd looks into manifests that name no platform, to find out
		// whether they are images for its own.
		if d.Digest != child.Digest && d.Platform != nil {
			continue
		}
		if err := p.child(d, d.Digest == child.Digest, read); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *plan) child(d v1.Descriptor, chosen bool, read func(v1.Hash) ([]byte, error)) error {
	content, err := read(d.Digest)
	if err != nil {
		return err
	}
	m, err := parse(d.Digest, content)
	if err != nil {
		return err
	}
	p.blobs = append(p.blobs, d)
	if chosen {
		p.image(m)
	} else if m.Manifests == nil {
		p.blobs = append(p.blobs, m.Config)
	}
	return nil
}

func (p *plan) image(m *manifest) {
	p.config = m.Config.Digest
	p.blobs = append(p.blobs, m.Config)
	p.blobs = append(p.blobs, m.Layers...)
}

// choose picks the image for the platform as a node would: the first entry
// whose platform fits, else the only image that names none.
func choose(list []v1.Descriptor, platform v1.Platform) (v1.Descriptor, error) {
	for _, d := range list {
		if d.Platform != nil && d.Platform.OS == platform.OS && d.Platform.Architecture == platform.Architecture {
			return d, nil
		}
	}
	var have []string
	for _, d := range list {
		if d.Platform != nil {
			have = append(have, d.Platform.String())
		}
	}
	return v1.Descriptor{}, fmt.Errorf("it has no image for the nodes' platform %s; it has: %v", platform, have)
}

func parse(digest v1.Hash, content []byte) (*manifest, error) {
	var m manifest
	if err := json.Unmarshal(content, &m); err != nil {
		return nil, fmt.Errorf("%s is no manifest: %w", digest, err)
	}
	switch {
	case m.MediaType != "":
	case m.Manifests != nil: // the field is optional in OCI
		m.MediaType = types.OCIImageIndex
	default:
		m.MediaType = types.OCIManifestSchema1
	}
	if m.Manifests == nil && m.Config.Digest == (v1.Hash{}) {
		return nil, fmt.Errorf("%s is neither an image nor an index", digest)
	}
	return &m, nil
}
