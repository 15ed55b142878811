package nodeimage

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// write packs the tree as a tar stream: entries by name, one time, owner root.
// Equal trees give equal bytes.
func (t tree) write(w io.Writer) error {
	tw := tar.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(t)) {
		if err := t[name].write(tw, name); err != nil {
			return err
		}
	}
	return tw.Close()
}

func (n node) write(tw *tar.Writer, name string) error {
	h := &tar.Header{Name: name, Mode: int64(n.mode.Perm()), ModTime: epoch(), Format: tar.FormatPAX}
	switch {
	case n.mode.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
		if n.mode&fs.ModeSticky != 0 {
			h.Mode |= 0o1000
		}
		return tw.WriteHeader(h)
	case n.mode&fs.ModeSymlink != 0:
		h.Typeflag, h.Linkname = tar.TypeSymlink, n.link
		return tw.WriteHeader(h)
	case n.disk == "":
		h.Size = int64(len(n.data))
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		_, err := tw.Write(n.data)
		return err
	}
	return n.writeDisk(tw, h)
}

func (n node) writeDisk(tw *tar.Writer, h *tar.Header) error {
	f, err := os.Open(n.disk)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h.Size = info.Size()
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(tw, f)
	return err
}

// layer is an uncompressed image layer in a file. Compressing would be for
// nothing: the layers go into the node's store and never over a network.
type layer struct {
	path string
	hash v1.Hash
	size int64
}

// newLayer packs the tree into path.
func newLayer(path string, t tree) (*layer, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	err = t.write(io.MultiWriter(f, sum))
	info, serr := f.Stat()
	cerr := f.Close()
	for _, e := range []error{err, serr, cerr} {
		if e != nil {
			return nil, e
		}
	}
	hash := v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum.Sum(nil))}
	return &layer{path: path, hash: hash, size: info.Size()}, nil
}

func (l *layer) Digest() (v1.Hash, error)             { return l.hash, nil }
func (l *layer) DiffID() (v1.Hash, error)             { return l.hash, nil }
func (l *layer) Size() (int64, error)                 { return l.size, nil }
func (l *layer) MediaType() (types.MediaType, error)  { return types.OCIUncompressedLayer, nil }
func (l *layer) Compressed() (io.ReadCloser, error)   { return os.Open(l.path) }
func (l *layer) Uncompressed() (io.ReadCloser, error) { return os.Open(l.path) }

// newImage makes an OCI image of the layers.
func newImage(arch, entrypoint string, layers ...v1.Layer) (v1.Image, error) {
	base := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	img, err := mutate.AppendLayers(base, layers...)
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: epoch()}
	config.Config.Entrypoint = []string{entrypoint}
	config.Config.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	for i := range config.History {
		config.History[i].Created = v1.Time{Time: epoch()}
	}
	return mutate.ConfigFile(img, config)
}
