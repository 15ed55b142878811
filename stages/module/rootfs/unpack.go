package rootfs

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Limits bound what an image may unpack to. Zero means the default.
type Limits struct {
	Bytes int64 // of all layers uncompressed, archive headers included; default 8 GiB
	Files int   // entries of all layers; default 500,000
}

func (l Limits) orDefault() Limits {
	if l.Bytes == 0 {
		l.Bytes = 8 << 30
	}
	if l.Files == 0 {
		l.Files = 500_000
	}
	return l
}

// ErrLimit is wrapped by errors that say that an image is too large.
var ErrLimit = errors.New("image is too large to be unpacked")

// Unpack writes the file system of an image into dir, which exists and is
// empty. Each layer is compared with its diff ID in the image's config. Run as
// root it sets owners; as another user it cannot, and then a file gets for its
// owner the rights that user (the image's, numeric) would have. Device nodes
// and named pipes are left out and returned.
func Unpack(ctx context.Context, img v1.Image, dir string, user User, limits Limits) (ignored []string, err error) {
	config, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read the image's config: %w", err)
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, fmt.Errorf("read the image's layers: %w", err)
	}
	if len(layers) != len(config.RootFS.DiffIDs) {
		return nil, fmt.Errorf("the image has %d layers but its config names %d", len(layers), len(config.RootFS.DiffIDs))
	}
	u, err := newUnpacker(dir, user, limits)
	if err != nil {
		return nil, err
	}
	defer u.root.Close()
	for i, layer := range layers {
		if err := u.layer(ctx, layer, config.RootFS.DiffIDs[i]); err != nil {
			return u.ignored, fmt.Errorf("layer %d of %d: %w", i+1, len(layers), err)
		}
	}
	return u.ignored, u.setFolderModes()
}

// unpacker is the state over all layers.
type unpacker struct {
	root    *os.Root
	chown   bool
	user    User
	left    int64 // bytes
	files   int   // entries
	folders map[string]fs.FileMode
	made    map[string]bool // by the current layer, with all folders above
	ignored []string
}

func newUnpacker(dir string, user User, limits Limits) (*unpacker, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("unpack image: %w", err)
	}
	limits = limits.orDefault()
	return &unpacker{
		root: root, chown: os.Geteuid() == 0, user: user,
		left: limits.Bytes, files: limits.Files, folders: map[string]fs.FileMode{},
	}, nil
}

func (u *unpacker) layer(ctx context.Context, layer v1.Layer, want v1.Hash) error {
	r, err := layer.Uncompressed()
	if err != nil {
		return err
	}
	defer r.Close()
	h := sha256.New()
	body := io.TeeReader(&boundedReader{ctx: ctx, r: r, left: &u.left}, h)
	if err := u.archive(body); err != nil {
		return err
	}
	// What follows the end of the archive belongs to the digest.
	if _, err := io.Copy(io.Discard, body); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); want.Algorithm != "sha256" || got != want.Hex {
		return fmt.Errorf("content has digest sha256:%s, the image's config says %s", got, want)
	}
	return nil
}

// archive unpacks one tar archive over what is there.
func (u *unpacker) archive(r io.Reader) error {
	u.made = map[string]bool{}
	for tr := tar.NewReader(r); ; {
		hdr, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		if u.files--; u.files < 0 {
			return fmt.Errorf("%w: too many files", ErrLimit)
		}
		if err := u.entry(hdr, tr); err != nil {
			return fmt.Errorf("%q: %w", hdr.Name, err)
		}
	}
}

func (u *unpacker) entry(hdr *tar.Header, body io.Reader) error {
	name, err := u.place(hdr.Name)
	if err != nil {
		return err
	}
	dir, base := path.Split(name)
	if strings.HasPrefix(base, whiteout) {
		return u.remove(path.Clean(dir), base)
	}
	if name == "." {
		if hdr.Typeflag != tar.TypeDir {
			return errors.New("the root is not a folder")
		}
		return u.finish(name, hdr)
	}
	if err := u.folder(path.Clean(dir)); err != nil {
		return err
	}
	u.mark(name)
	switch hdr.Typeflag {
	case tar.TypeDir:
		return u.makeFolder(name, hdr)
	case tar.TypeReg:
		return u.makeFile(name, hdr, body)
	case tar.TypeSymlink:
		return u.makeSymlink(name, hdr)
	case tar.TypeLink:
		return u.makeHardLink(name, hdr)
	}
	u.ignored = append(u.ignored, name)
	return nil
}

func (u *unpacker) makeFolder(name string, hdr *tar.Header) error {
	if info, err := u.root.Lstat(name); err == nil && !info.IsDir() {
		if err := u.removeAll(name); err != nil {
			return err
		}
	}
	if err := u.folder(name); err != nil {
		return err
	}
	return u.finish(name, hdr)
}

func (u *unpacker) makeFile(name string, hdr *tar.Header, body io.Reader) error {
	if err := u.removeAll(name); err != nil {
		return err
	}
	f, err := u.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, body)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return u.finish(name, hdr)
}

func (u *unpacker) makeSymlink(name string, hdr *tar.Header) error {
	if err := u.removeAll(name); err != nil {
		return err
	}
	if err := u.root.Symlink(hdr.Linkname, name); err != nil {
		return err
	}
	if u.chown {
		return u.root.Lchown(name, hdr.Uid, hdr.Gid)
	}
	return nil
}

func (u *unpacker) makeHardLink(name string, hdr *tar.Header) error {
	target, err := u.place(hdr.Linkname)
	if err != nil {
		return fmt.Errorf("hard link to %q: %w", hdr.Linkname, err)
	}
	if target == name {
		return errors.New("hard link to itself")
	}
	if err := u.removeAll(name); err != nil {
		return err
	}
	return u.root.Link(target, name)
}

// folder makes a folder and those above it; the path has no links.
func (u *unpacker) folder(name string) error {
	if err := u.root.MkdirAll(name, 0o755); err != nil {
		return err
	}
	info, err := u.root.Lstat(name)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%s is not a folder", name)
	}
	return err
}

// finish sets owner and mode. The mode of a folder waits until everything is
// in it. The owner comes first: changing it drops set-user-ID bits.
func (u *unpacker) finish(name string, hdr *tar.Header) error {
	mode := hdr.FileInfo().Mode()
	if u.chown {
		if err := u.root.Lchown(name, hdr.Uid, hdr.Gid); err != nil {
			return err
		}
	} else {
		mode = u.user.fold(mode, hdr.Uid, hdr.Gid)
	}
	if mode.IsDir() {
		u.folders[name] = mode
		return nil
	}
	return u.root.Chmod(name, mode)
}

// setFolderModes comes last, children first. A user who is not root keeps all
// rights, or the folder could not be removed again.
func (u *unpacker) setFolderModes() error {
	names := make([]string, 0, len(u.folders))
	for name := range u.folders {
		names = append(names, name)
	}
	slices.Sort(names)
	slices.Reverse(names)
	for _, name := range names {
		mode := u.folders[name]
		if !u.chown {
			mode |= 0o700
		}
		info, err := u.root.Lstat(name)
		if missing(err) || err == nil && !info.IsDir() {
			continue // removed by a later layer
		}
		if err := errors.Join(err, u.root.Chmod(name, mode)); err != nil {
			return fmt.Errorf("folder %s: %w", name, err)
		}
	}
	return nil
}

func (u *unpacker) removeAll(name string) error {
	if _, err := u.root.Lstat(name); err != nil {
		if missing(err) {
			return nil
		}
		return err
	}
	return u.root.RemoveAll(name)
}
