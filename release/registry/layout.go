package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
)

// Layout is an OCI image layout as the container stage writes it: its
// index.json names one index, the bundle (OCI image specification 1.1,
// image-layout.md).
type Layout struct {
	dir    string
	digest evidence.Digest
}

// OpenLayout reads the index.json of a layout.
func OpenLayout(dir string) (*Layout, error) {
	data, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no OCI layout at %s; run the container stage first: %w", dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("read OCI layout: %w", err)
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("OCI layout %s: %w", dir, err)
	}
	if len(index.Manifests) != 1 {
		return nil, fmt.Errorf("OCI layout %s names %d manifests; expected the one of the bundle", dir, len(index.Manifests))
	}
	return &Layout{dir, evidence.Digest(index.Manifests[0].Digest.String())}, nil
}

// Digest is that of the bundle.
func (l *Layout) Digest() evidence.Digest { return l.digest }

// String returns the folder.
func (l *Layout) String() string { return l.dir }

func (l *Layout) path(digest v1.Hash) string {
	return filepath.Join(l.dir, "blobs", digest.Algorithm, digest.Hex)
}

// Manifest reads a manifest and checks it; nil when it is not there.
func (l *Layout) Manifest(_ context.Context, digest string) (*repository.Manifest, error) {
	hash, err := v1.NewHash(digest)
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(l.path(hash))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if got := evidence.Sum(raw); string(got) != digest {
		return nil, fmt.Errorf("manifest %s in %s has become %s; run the container stage again", digest, l.dir, got)
	}
	var m struct{ MediaType types.MediaType }
	if err := json.Unmarshal(raw, &m); err != nil || !isManifest(m.MediaType) {
		return nil, fmt.Errorf("manifest %s in %s has the type %q (%w)", digest, l.dir, m.MediaType, err)
	}
	return &repository.Manifest{MediaType: m.MediaType, Raw: raw}, nil
}

// Layer returns a blob as a file. Its size is compared here; the registry
// refuses content that does not have the digest.
func (l *Layout) Layer(_ context.Context, desc v1.Descriptor) (v1.Layer, error) {
	info, err := os.Stat(l.path(desc.Digest))
	if err != nil {
		return nil, err
	}
	if info.Size() != desc.Size {
		return nil, fmt.Errorf("%s in %s has %d bytes, expected %d; run the container stage again", desc.Digest, l.dir, info.Size(), desc.Size)
	}
	return fileLayer{l.path(desc.Digest), desc}, nil
}

// fileLayer is a blob in a file. As far as pushing goes, what it holds is just
// bytes.
type fileLayer struct {
	path string
	desc v1.Descriptor
}

func (f fileLayer) Digest() (v1.Hash, error)             { return f.desc.Digest, nil }
func (f fileLayer) DiffID() (v1.Hash, error)             { return f.desc.Digest, nil }
func (f fileLayer) Compressed() (io.ReadCloser, error)   { return os.Open(f.path) }
func (f fileLayer) Uncompressed() (io.ReadCloser, error) { return os.Open(f.path) }
func (f fileLayer) Size() (int64, error)                 { return f.desc.Size, nil }
func (f fileLayer) MediaType() (types.MediaType, error)  { return f.desc.MediaType, nil }
