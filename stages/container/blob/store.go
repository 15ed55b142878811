// Package blob writes the blobs of an OCI image layout.
//
// The format is that of the OCI image specification v1.1, "Image Layout": a
// blob lies at blobs/sha256/HEX. A blob is hashed while it is written, to a
// temporary name, and renamed when its digest is known; so layers are produced
// in one pass, and a blob that has its name is whole. The same content twice is
// one blob.
package blob

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gitlab.com/selfcontained/pipeline/stages/container/archive"
)

// Store is the folder of a layout. Safe for concurrent use.
type Store struct{ dir string }

// Layer is a layer in the store.
type Layer struct {
	v1.Descriptor
	// DiffID is the digest of the uncompressed tar stream.
	DiffID v1.Hash
}

// Create makes an empty layout at dir; End completes it.
func Create(dir string) (*Store, error) {
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		return nil, fmt.Errorf("create image layout: %w", err)
	}
	return &Store{dir: dir}, nil
}

// Path returns where the blob with this digest lies.
func (s *Store) Path(h v1.Hash) string { return filepath.Join(s.dir, "blobs", h.Algorithm, h.Hex) }

// End writes oci-layout and an index.json that names one manifest.
func (s *Store) End(root v1.Descriptor) error {
	index := v1.IndexManifest{
		SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{root},
	}
	data, err := json.Marshal(index)
	if err != nil {
		return fmt.Errorf("index.json: %w", err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644); err != nil {
		return fmt.Errorf("end image layout: %w", err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "index.json"), data, 0o644); err != nil {
		return fmt.Errorf("end image layout: %w", err)
	}
	return nil
}

// Put stores data.
func (s *Store) Put(mediaType types.MediaType, data []byte) (v1.Descriptor, error) {
	return s.Copy(mediaType, bytes.NewReader(data))
}

// PutJSON stores a value as compact JSON: struct fields in their order, maps
// sorted by key.
func (s *Store) PutJSON(mediaType types.MediaType, value any) (v1.Descriptor, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("encode %s: %w", mediaType, err)
	}
	return s.Put(mediaType, data)
}

// Copy stores what r yields.
func (s *Store) Copy(mediaType types.MediaType, r io.Reader) (v1.Descriptor, error) {
	return s.write(mediaType, func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
}

// Layer stores the archive that fill writes, as an OCI layer.
func (s *Store) Layer(fill func(*archive.Writer) error) (Layer, error) {
	var diff []byte
	desc, err := s.write(types.OCILayer, func(w io.Writer) error {
		a, err := archive.New(w)
		if err != nil {
			return err
		}
		if err := fill(a); err != nil {
			return err
		}
		diff, err = a.Close()
		return err
	})
	return Layer{Descriptor: desc, DiffID: hashOf(diff)}, err
}

func (s *Store) write(mediaType types.MediaType, fill func(io.Writer) error) (desc v1.Descriptor, err error) {
	f, err := os.CreateTemp(s.dir, ".blob-")
	if err != nil {
		return desc, fmt.Errorf("write blob: %w", err)
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	h, buffered := sha256.New(), bufio.NewWriterSize(f, 256<<10)
	counted := &counter{w: io.MultiWriter(h, buffered)}
	if err := fill(counted); err != nil {
		return desc, err
	}
	desc = v1.Descriptor{MediaType: mediaType, Size: counted.n, Digest: hashOf(h.Sum(nil))}
	if err := buffered.Flush(); err != nil {
		return desc, fmt.Errorf("write blob: %w", err)
	}
	return desc, s.keep(f, desc.Digest)
}

// keep gives a finished temporary file its name. CreateTemp made it private;
// layouts are read by engines that run as other users.
func (s *Store) keep(f *os.File, h v1.Hash) error {
	if err := f.Chmod(0o644); err != nil {
		return fmt.Errorf("write blob: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write blob: %w", err)
	}
	if err := os.Rename(f.Name(), s.Path(h)); err != nil {
		return fmt.Errorf("write blob: %w", err)
	}
	return nil
}

func hashOf(sum []byte) v1.Hash { return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum)} }

// counter counts what goes through it.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
