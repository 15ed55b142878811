package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// Bundle describes what the stage has written: bundle.json.
type Bundle struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Digest is that of the index: the identity of all that follows.
	Digest evidence.Digest `json:"digest"`
	Images []Image         `json:"images"` // sorted by platform
	// Chart, API and SBOM are digests of manifests in the index; Chart and API
	// are empty when the service has none.
	Chart evidence.Digest `json:"chart"`
	API   evidence.Digest `json:"api"`
	SBOM  evidence.Digest `json:"sbom"`
}

// Image is the image for one platform.
type Image struct {
	Platform string          `json:"platform"` // "linux/amd64"
	Digest   evidence.Digest `json:"digest"`
	// ConfigDigest is the image id that docker shows.
	ConfigDigest evidence.Digest `json:"configDigest"`
	// Size is what a pull transfers: the bytes of configuration and layers.
	Size int64 `json:"size"`
}

const bundleFile = "bundle.json"

// ReadBundle reads bundle.json from the stage's outputs.
func ReadBundle(dir string) (*Bundle, error) {
	name := filepath.Join(dir, bundleFile)
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no bundle at %s; run the container stage first", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	var b Bundle
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if b.Digest == "" {
		return nil, fmt.Errorf("%s has no digest", name)
	}
	return &b, nil
}

func (b *Bundle) write(dir string) error {
	data, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", bundleFile, err)
	}
	if err := os.WriteFile(filepath.Join(dir, bundleFile), append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}

// largest is the size of the largest image in bytes.
func (b *Bundle) largest() int64 {
	var size int64
	for _, image := range b.Images {
		size = max(size, image.Size)
	}
	return size
}
