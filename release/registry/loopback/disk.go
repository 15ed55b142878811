package loopback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// The folder:
//
//	blobs/sha256/HEX                      contents, shared by all repositories
//	repositories/NAME/manifests/HEX       media type, line end, manifest
//	repositories/NAME/tags/TAG            digest
//	repositories/NAME/referrers/HEX/HEX   empty: subject, manifest about it
//	tmp/                                  what is being written
//	lock                                  who has the folder
//
// NAME is escaped as an element of a URL's path.
func (r *Registry) path(repo string, elem ...string) string {
	return filepath.Join(append([]string{r.dir, "repositories", url.PathEscape(repo)}, elem...)...)
}

// write makes a file be there with this content, also after a power cut.
func (r *Registry) write(name string, content io.Reader) error {
	if err := r.makeFolder(filepath.Dir(name)); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Join(r.dir, "tmp"), "*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails after the rename
	_, err = io.Copy(tmp, content)
	if err == nil {
		err = errors.Join(tmp.Chmod(0o644), tmp.Sync())
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), name); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(name))
}

// makeFolder makes a folder and those above it be there.
func (r *Registry) makeFolder(dir string) error {
	err := os.Mkdir(dir, 0o755)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrNotExist) && len(dir) > len(r.dir):
		if err := r.makeFolder(filepath.Dir(dir)); err != nil {
			return err
		}
		return r.makeFolder(dir)
	case err != nil:
		return err
	}
	return syncFolder(filepath.Dir(dir))
}

// syncFolder makes the names in a folder last.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (r *Registry) writeBytes(name string, data []byte) error {
	return r.write(name, bytes.NewReader(data))
}

// blobs is the storage behind go-containerregistry's registry.
type blobs struct{ *Registry }

func (b *blobs) file(h v1.Hash) string { return filepath.Join(b.dir, "blobs", h.Algorithm, h.Hex) }

// Stat returns the size. Content is complete when it has its name, and clients
// check what they read.
func (b *blobs) Stat(_ context.Context, _ string, h v1.Hash) (int64, error) {
	info, err := os.Stat(b.file(h))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, ggcr.ErrNotFound
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Get opens a blob.
func (b *blobs) Get(_ context.Context, _ string, h v1.Hash) (io.ReadCloser, error) {
	f, err := os.Open(b.file(h))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ggcr.ErrNotFound
	}
	return f, err
}

// Put stores a blob; reading it fails when it does not have its digest.
func (b *blobs) Put(_ context.Context, _ string, h v1.Hash, content io.ReadCloser) error {
	defer content.Close()
	if err := b.write(b.file(h), content); err != nil {
		return fmt.Errorf("store %s: %w", h, err)
	}
	return nil
}
