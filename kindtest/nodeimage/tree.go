package nodeimage

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// epoch is the time of every file in every layer, so that equal contents give
// equal bytes.
func epoch() time.Time { return time.Unix(1_700_000_000, 0).UTC() }

// tree is a file system to be packed: paths without a leading slash. It needs
// no privileges, knows no owner but root, and resolves the links of a merged
// /usr, so that /bin/x and /usr/bin/x are one file.
type tree map[string]node

// node is one entry. A regular file has its contents here or in a file on disk.
type node struct {
	mode fs.FileMode // type and permissions
	link string      // target of a symbolic link
	data []byte
	disk string
}

// newTree returns a tree with the four links of a merged /usr.
func newTree() tree {
	t := tree{}
	for _, d := range []string{"bin", "sbin", "lib", "lib64"} {
		t.dir("usr/"+d, 0o755)
		t[d] = node{mode: fs.ModeSymlink | 0o777, link: "usr/" + d}
	}
	return t
}

// put adds an entry and the folders above it, replacing what is there.
func (t tree) put(name string, n node) {
	name = t.clean(name)
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if _, ok := t[dir]; !ok {
			t[dir] = node{mode: fs.ModeDir | 0o755}
		}
	}
	t[name] = n
}

// clean returns the one name that a path has in the tree.
func (t tree) clean(name string) string {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	first, rest, below := strings.Cut(name, "/")
	if n, ok := t[first]; ok && below && n.mode&fs.ModeSymlink != 0 {
		return path.Join(n.link, rest)
	}
	return name
}

func (t tree) dir(name string, mode fs.FileMode) { t.put(name, node{mode: fs.ModeDir | mode}) }

func (t tree) file(name string, mode fs.FileMode, data []byte) {
	t.put(name, node{mode: mode.Perm(), data: data})
}

// host adds a file of this machine, read when the tree is packed.
func (t tree) host(name, disk string) { t.put(name, node{mode: 0o755, disk: disk}) }

func (t tree) link(name, target string) {
	t.put(name, node{mode: fs.ModeSymlink | 0o777, link: target})
}

func (t tree) has(name string) bool {
	_, ok := t[t.clean(name)]
	return ok
}

// drop removes every entry that match accepts, with all below it.
func (t tree) drop(match func(name string) bool) {
	for _, name := range slices.Sorted(maps.Keys(t)) {
		if match(name) {
			delete(t, name)
		} else if _, ok := t[path.Dir(name)]; !ok && strings.Contains(name, "/") {
			delete(t, name) // its folder went before it, in this order
		}
	}
}

// unpack adds the entries of a tar stream, such as a Debian package's.
func (t tree) unpack(r io.Reader) error {
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := t.entry(h, tr); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

func (t tree) entry(h *tar.Header, r io.Reader) error {
	name := t.clean(h.Name)
	switch h.Typeflag {
	case tar.TypeDir:
		// A folder of a package may be a link here (/lib of a merged /usr).
		if name != "" && !t.has(name) {
			t.dir(name, h.FileInfo().Mode().Perm())
		}
	case tar.TypeReg:
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		t.file(name, h.FileInfo().Mode(), data)
	case tar.TypeSymlink:
		t.link(name, h.Linkname)
	case tar.TypeLink:
		n, ok := t[t.clean(h.Linkname)]
		if !ok {
			return fmt.Errorf("hard link to %s, which is not there", h.Linkname)
		}
		t.put(name, n)
	default:
		return fmt.Errorf("entry of type %q", h.Typeflag)
	}
	return nil
}

// folder adds a folder of this machine with all below it, under prefix.
func (t tree) folder(prefix, disk string) error {
	return filepath.WalkDir(disk, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(disk, p)
		if err != nil {
			return err
		}
		name := path.Join(prefix, filepath.ToSlash(rel))
		switch mode := info.Mode(); {
		case mode.IsDir():
			t.dir(name, mode.Perm())
		case mode.IsRegular():
			t.put(name, node{mode: mode.Perm(), disk: p})
		case mode&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			t.link(name, target)
			return err
		}
		return nil // sockets are of no use in an image
	})
}
