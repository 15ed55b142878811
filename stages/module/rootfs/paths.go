package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// The names of the OCI image specification, layer.md, "Whiteouts".
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// maxLinks bounds the symbolic links in one path, as the kernel does.
const maxLinks = 40

// place returns where an entry of an archive belongs: relative to the root,
// with no link in it except that the last element may be one. A leading slash
// means the image's root (ko and others write such names); ".." is refused.
func (u *unpacker) place(name string) (string, error) {
	if strings.ContainsRune(name, 0) {
		return "", errors.New("name with a NUL byte")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", errors.New(`name with ".." is refused`)
		}
	}
	name = path.Clean("/" + name)[1:]
	if name == "" {
		return ".", nil
	}
	dir, err := resolve(u.root, path.Dir(name))
	if err != nil {
		return "", err
	}
	return path.Join(dir, path.Base(name)), nil
}

// resolve follows every link in name as a process would whose root is r, and
// returns a path without links. What does not exist is kept as it is.
func resolve(r *os.Root, name string) (string, error) {
	at, links := ".", 0
	rest := strings.Split(name, "/")
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at) // path.Dir(".") is "."
			continue
		}
		next := path.Join(at, part)
		info, err := r.Lstat(next)
		if err != nil && !missing(err) {
			return "", err
		}
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("%s: too many symbolic links", name)
		}
		target, err := r.Readlink(next)
		if err != nil {
			return "", err
		}
		if path.IsAbs(target) {
			at = "."
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return at, nil
}

// remove takes away what a whiteout in dir names. Whiteouts speak of the
// layers below: what this layer itself brought stays, wherever in the archive
// the whiteout stands.
func (u *unpacker) remove(dir, base string) error {
	if base != opaque {
		hidden := strings.TrimPrefix(base, whiteout)
		if hidden == "" || hidden == "." || hidden == ".." {
			return fmt.Errorf("whiteout of %q", hidden)
		}
		return u.hide(path.Join(dir, hidden))
	}
	return u.hideChildren(dir)
}

func (u *unpacker) hideChildren(dir string) error {
	f, err := u.root.Open(dir)
	if err != nil {
		if missing(err) {
			return nil
		}
		return err
	}
	names, err := f.Readdirnames(-1)
	f.Close()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := u.hide(path.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// hide removes name except for what the current layer has put there.
func (u *unpacker) hide(name string) error {
	if !u.made[name] {
		return u.removeAll(name)
	}
	if info, err := u.root.Lstat(name); err != nil || !info.IsDir() {
		return err
	}
	return u.hideChildren(name)
}

// mark remembers that the current layer has put something at name.
func (u *unpacker) mark(name string) {
	for ; name != "." && !u.made[name]; name = path.Dir(name) {
		u.made[name] = true
	}
}

// boundedReader ends with ctx and with ErrLimit.
type boundedReader struct {
	ctx  context.Context
	r    io.Reader
	left *int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.r.Read(p)
	if *b.left -= int64(n); *b.left < 0 {
		return 0, fmt.Errorf("%w: too many bytes", ErrLimit)
	}
	return n, err
}
