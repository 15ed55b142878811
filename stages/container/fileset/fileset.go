// Package fileset lists what a path of the configuration names.
//
// A path in pipeline.yaml is a file or a folder of the service. What counts is
// what lies there: every file below a folder, ignored by git or not (a built
// web page is often ignored). Empty folders do not count, since a clone does
// not have them; nor do .git and the tool's own state. Everything is opened
// through an os.Root, so neither ".." nor a symbolic link leads out of the
// service.
package fileset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/source"
)

// Links says what becomes of symbolic links below a folder. One that leads out
// of the service is an error either way.
type Links int

const (
	// Keep keeps a link that stays within the listed folder, and refuses others.
	Keep Links = iota
	// Follow takes what the link leads to in its place. A circle of links is an
	// error: os.Root follows only so many of them.
	Follow
)

// Entry is a file, or a link that is kept.
type Entry struct {
	// Path is relative to the service, with slashes.
	Path string
	// Rel is Path relative to what was listed; empty for a single file.
	Rel string
	// Executable tells whether anybody may execute the file: all that is kept
	// of its mode, since the rest depends on the umask.
	Executable bool
	// Link is the target of a link that is kept; empty for a file.
	Link string
	// Followed tells that Path is a link and the content that of its target.
	Followed bool
}

// Set is what a path names, sorted by Path.
type Set struct {
	// Folder tells whether the path is that of a folder.
	Folder  bool
	Entries []Entry
}

// List returns the files that name, relative to root, stands for. A missing
// file is an error that wraps fs.ErrNotExist.
func List(root *os.Root, name string, links Links) (*Set, error) {
	clean := path.Clean(filepath.ToSlash(name))
	if !filepath.IsLocal(clean) {
		return nil, fmt.Errorf("%s lies outside of the service", name)
	}
	info, err := root.Stat(clean)
	if err != nil {
		return nil, plain(name, err)
	}
	l := &lister{root: root, top: clean, links: links}
	if !info.IsDir() {
		link, err := root.Lstat(clean)
		if err != nil {
			return nil, plain(name, err)
		}
		err = l.file(clean, info, link.Mode()&fs.ModeSymlink != 0)
		return &Set{Entries: l.entries}, err
	}
	if err := l.folder(clean); err != nil {
		return nil, err
	}
	slices.SortFunc(l.entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	return &Set{Folder: true, Entries: l.entries}, nil
}

// plain says what is wrong with a path without the names of system calls.
func plain(name string, err error) error {
	var pathError *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	case errors.As(err, &pathError):
		return fmt.Errorf("%s: %w", name, pathError.Err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

type lister struct {
	root    *os.Root
	top     string
	links   Links
	entries []Entry
}

func (l *lister) folder(dir string) error {
	list, err := fs.ReadDir(l.root.FS(), dir)
	if err != nil {
		return plain(dir, err)
	}
	for _, d := range list {
		if d.Name() == ".git" || d.Name() == source.StateDir {
			continue
		}
		if err := l.entry(path.Join(dir, d.Name()), d.Type()); err != nil {
			return err
		}
	}
	return nil
}

func (l *lister) entry(name string, mode fs.FileMode) error {
	if mode&fs.ModeSymlink != 0 && l.links == Keep {
		return l.link(name)
	}
	info, err := l.root.Stat(name)
	if err != nil {
		return plain(name, err)
	}
	if info.IsDir() {
		return l.folder(name)
	}
	return l.file(name, info, mode&fs.ModeSymlink != 0)
}

func (l *lister) file(name string, info fs.FileInfo, followed bool) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is neither a file, a folder nor a symbolic link", name)
	}
	l.entries = append(l.entries, Entry{
		Path: name, Rel: l.rel(name), Executable: info.Mode()&0o111 != 0, Followed: followed,
	})
	return nil
}

func (l *lister) link(name string) error {
	target, err := l.root.Readlink(name)
	if err != nil {
		return plain(name, err)
	}
	end := path.Join(path.Dir(name), filepath.ToSlash(target))
	if filepath.IsAbs(target) || !within(l.top, end) {
		return fmt.Errorf("%s is a symbolic link to %s, outside of %s; copy the file instead", name, target, l.top)
	}
	l.entries = append(l.entries, Entry{Path: name, Rel: l.rel(name), Link: filepath.ToSlash(target)})
	return nil
}

func (l *lister) rel(name string) string {
	switch l.top {
	case name:
		return ""
	case ".":
		return name
	}
	return strings.TrimPrefix(name, l.top+"/")
}

func within(dir, name string) bool {
	if dir == "." {
		return filepath.IsLocal(name)
	}
	return name == dir || strings.HasPrefix(name, dir+"/")
}
