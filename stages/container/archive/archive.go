// Package archive writes tar.gz files whose bytes depend on their content
// alone.
//
// Image layers and Helm charts are both such archives, and a digest is worth
// something only if the same content gives it everywhere: no times, no names
// of users, no umask, a fixed gzip header. The compressor is the one pinned in
// go.mod, not the one of the Go release in use, so that a new compiler does not
// change the bytes. The digest of the uncompressed stream (OCI's DiffID) is
// taken on the way: nothing is read twice.
package archive

import (
	"archive/tar"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"
)

// level is the gzip level: on a Go binary within 3 % of the size that the
// standard library's default reaches, in about a quarter of the time.
const level = 5

// Owner is the numeric owner of an entry; the zero value is root.
type Owner struct{ UID, GID int }

// Writer writes one archive. Entries appear in the order of the calls; callers
// sort them. Not for concurrent use.
type Writer struct {
	tar  *tar.Writer
	gzip *gzip.Writer
	hash hash.Hash
}

// New returns a writer that writes a gzip-compressed tar stream to w.
func New(w io.Writer) (*Writer, error) {
	z, err := gzip.NewWriterLevel(w, level)
	if err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	z.ModTime = time.Unix(0, 0) // "no time" in the header
	h := sha256.New()
	return &Writer{tar: tar.NewWriter(io.MultiWriter(h, z)), gzip: z, hash: h}, nil
}

// Dir adds a folder; mode holds permissions and the sticky bit (01777).
func (w *Writer) Dir(name string, mode int64, owner Owner) error {
	return w.header(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode}, owner)
}

// Link adds a symbolic link.
func (w *Writer) Link(name, target string) error {
	return w.header(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, Owner{})
}

// File adds a file of exactly size bytes.
func (w *Writer) File(name string, mode, size int64, r io.Reader) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: size}
	if err := w.header(h, Owner{}); err != nil {
		return err
	}
	n, err := io.CopyBuffer(writerOnly{w.tar}, r, make([]byte, 256<<10))
	if err == nil && n != size {
		err = fmt.Errorf("has %d bytes, was said to have %d: it changed meanwhile", n, size)
	}
	if err != nil {
		return fmt.Errorf("archive %s: %w", name, err)
	}
	return nil
}

// writerOnly hides tar.Writer's ReadFrom, which copies in small pieces.
type writerOnly struct{ io.Writer }

func (w *Writer) header(h *tar.Header, owner Owner) error {
	h.ModTime = time.Unix(0, 0)
	h.Uid, h.Gid = owner.UID, owner.GID
	if err := w.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("archive %s: %w", h.Name, err)
	}
	return nil
}

// Close ends the archive and returns the SHA-256 of the uncompressed stream.
// The underlying writer stays open.
func (w *Writer) Close() ([]byte, error) {
	if err := w.tar.Close(); err != nil {
		return nil, fmt.Errorf("end of archive: %w", err)
	}
	if err := w.gzip.Close(); err != nil {
		return nil, fmt.Errorf("end of archive: %w", err)
	}
	return w.hash.Sum(nil), nil
}
