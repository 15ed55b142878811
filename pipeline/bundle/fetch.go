package bundle

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// SharedBlobs is the folder beside the layouts that has their blobs: those in
// the layouts are hard links of them. It may be deleted at any time.
const SharedBlobs = ".blobs"

// Fetch makes dir an OCI image layout (OCI image specification 1.1,
// image-layout.md) of the whole bundle, whose index.json names its index. A
// layout that is there already and is complete is left as it is: manifests are
// hashed, of blobs the size is compared. A damaged one is made anew. The layout
// appears at once under its name, and several processes may fetch at the same
// time. Layouts in one folder share their blobs (SharedBlobs); the files are not
// to be written to. The error is that of Read.
func Fetch(ctx context.Context, src Source, digest evidence.Digest, dir string) error {
	if isComplete(ctx, digest, dir) {
		evidence.Used(dir)
		return nil
	}
	jobs := 4
	if src, ok := src.(interface{ Jobs() int }); ok {
		jobs = max(1, src.Jobs())
	}
	r := reader{src}
	g, err := r.graph(ctx, digest, jobs)
	if err != nil {
		return err
	}
	parent := filepath.Dir(dir)
	blobs := store(filepath.Join(parent, SharedBlobs))
	if err := os.MkdirAll(string(blobs), 0o755); err != nil {
		return fmt.Errorf("fetch bundle: %w", err)
	}
	if err := blobs.fill(ctx, r, g, jobs); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(parent, ".layout-*")
	if err != nil {
		return fmt.Errorf("fetch bundle: %w", err)
	}
	defer os.RemoveAll(tmp)
	if err := g.write(tmp, digest, blobs); err != nil {
		return fmt.Errorf("fetch bundle %s: %w", digest, err)
	}
	return place(ctx, tmp, dir, digest)
}

// maxPlaces bounds how often somebody else may put a layout into our way.
const maxPlaces = 10

// place gives the layout its name, unless another process has been faster.
func place(ctx context.Context, tmp, dir string, digest evidence.Digest) (err error) {
	for range maxPlaces {
		if err = evidence.ReplaceDir(tmp, dir); err == nil || isComplete(ctx, digest, dir) {
			return nil
		}
	}
	return fmt.Errorf("fetch bundle %s: %w", digest, err)
}

// isComplete reports whether the layout of the bundle is there.
func isComplete(ctx context.Context, digest evidence.Digest, dir string) bool {
	var index v1.IndexManifest
	data, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil || json.Unmarshal(data, &index) != nil || len(index.Manifests) != 1 ||
		index.Manifests[0].Digest.String() != string(digest) {
		return false
	}
	if _, err := os.Stat(filepath.Join(dir, "oci-layout")); err != nil {
		return false
	}
	g, err := reader{folder{dir}}.graph(ctx, digest, 1)
	if err != nil {
		return false
	}
	for hash, blob := range g.blobs {
		if info, err := os.Stat(blobPath(dir, hash)); err != nil || !info.Mode().IsRegular() || info.Size() != blob.Size {
			return false
		}
	}
	return true
}

func blobPath(dir string, hash v1.Hash) string {
	return filepath.Join(dir, "blobs", hash.Algorithm, hash.Hex)
}

// write makes a layout of the graph; its blobs are in the store.
func (g *graph) write(dir string, root evidence.Digest, blobs store) error {
	// MkdirTemp makes folders private; layouts are read by engines that run as
	// other users.
	err := errors.Join(os.Chmod(dir, 0o755), os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755))
	for digest, raw := range g.manifests {
		err = errors.Join(err, os.WriteFile(blobPath(dir, hashOf(digest)), raw, 0o444))
	}
	for hash := range g.blobs {
		err = errors.Join(err, link(blobs.path(hash), blobPath(dir, hash)))
	}
	var index v1.IndexManifest
	if err := errors.Join(err, json.Unmarshal(g.manifests[root], &index)); err != nil {
		return err
	}
	entry := v1.Descriptor{MediaType: index.MediaType, Size: int64(len(g.manifests[root])), Digest: hashOf(root)}
	if version := index.Annotations[versionAnnotation]; version != "" {
		entry.Annotations = map[string]string{"org.opencontainers.image.ref.name": version}
	}
	data, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{entry}})
	return errors.Join(err,
		os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o444),
		os.WriteFile(filepath.Join(dir, "index.json"), data, 0o444))
}

// link makes the file be there under another name, as a copy where the file
// system cannot link, or not that often.
func link(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o444)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// store is a folder with blobs by their hex digits.
type store string

func (s store) path(hash v1.Hash) string { return filepath.Join(string(s), hash.Hex) }

// fill makes the blobs of a graph be there.
func (s store) fill(ctx context.Context, r reader, g *graph, jobs int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(jobs)
	for _, desc := range g.blobs {
		group.Go(func() error {
			if s.has(desc) {
				return nil
			}
			if err := s.download(ctx, r, desc); err != nil {
				var broken *Broken
				if errors.As(err, &broken) {
					return err
				}
				return fmt.Errorf("fetch %s of %v: %w", desc.Digest, r.src, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// has reads the whole blob: a layout is made rarely, and lasts.
func (s store) has(desc v1.Descriptor) bool {
	f, err := os.Open(s.path(desc.Digest))
	if err != nil {
		return false
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(f, desc.Size+1))
	return err == nil && n == desc.Size && string(evidence.SumOf(h)) == desc.Digest.String()
}

// download writes a blob under a temporary name, and renames it when its digest
// is known to be right.
func (s store) download(ctx context.Context, r reader, desc v1.Descriptor) error {
	content, err := r.open(ctx, desc)
	if err != nil {
		return err
	}
	defer content.Close()
	tmp, err := os.CreateTemp(string(s), ".tmp-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails after the rename
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(tmp, h), io.LimitReader(content, desc.Size+1))
	closed := errors.Join(tmp.Chmod(0o444), tmp.Close())
	// A source that checks by itself says so in its own words, at the end.
	whole := err == nil || n >= desc.Size
	if got := evidence.SumOf(h); whole && (n != desc.Size || string(got) != desc.Digest.String()) {
		return r.broken(evidence.Digest(desc.Digest.String()), "came as %s with %d bytes; expected %d", got, n, desc.Size)
	}
	if err := cmp.Or(err, closed); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), s.path(desc.Digest))
}
