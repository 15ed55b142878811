package bundle

import (
	"context"
	"errors"
	"io/fs"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
)

// folder is a layout as a source of manifests.
type folder struct{ dir string }

func (f folder) String() string { return f.dir }

// Manifest reads a manifest; nil when it is not there.
func (f folder) Manifest(_ context.Context, digest string) (*repository.Manifest, error) {
	hash, err := v1.NewHash(digest)
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(blobPath(f.dir, hash))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return &repository.Manifest{Raw: raw}, err
}

// Layer is never asked for: of the blobs of a layout only the size is looked at.
func (f folder) Layer(context.Context, v1.Descriptor) (v1.Layer, error) {
	return nil, errors.ErrUnsupported
}
