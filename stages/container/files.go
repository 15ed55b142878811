package container

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/stages/container/archive"
	"gitlab.com/selfcontained/pipeline/stages/container/blob"
	"gitlab.com/selfcontained/pipeline/stages/container/fileset"
	"gitlab.com/selfcontained/pipeline/stages/container/secrets"
)

// placed are the files of image.files by their path in the image, without the
// leading slash.
type placed map[string]fileset.Entry

// place finds what image.files names.
func (b *bundler) place() (placed, error) {
	files := placed{}
	for _, target := range slices.Sorted(maps.Keys(b.service.Image.Files)) {
		if err := b.placeOne(files, target, b.service.Image.Files[target]); err != nil {
			return nil, b.setting(fmt.Sprintf("image.files[%q]", target), err)
		}
	}
	for name := range files {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, clash := files[dir]; clash || dir == b.service.Name {
				return nil, b.setting("image.files", fmt.Errorf("/%s lies below /%s, which is a file", name, dir))
			}
		}
	}
	return files, nil
}

func (b *bundler) placeOne(files placed, target, from string) error {
	if !path.IsAbs(target) || slices.Contains(strings.Split(target, "/"), "..") {
		return errors.New("expected an absolute path in the image")
	}
	set, err := fileset.List(b.root, from, fileset.Keep)
	if err != nil {
		return err
	}
	if len(set.Entries) == 0 {
		return fmt.Errorf("%s has no files", from)
	}
	into := path.Clean(target)
	if !set.Folder && strings.HasSuffix(target, "/") {
		into = path.Join(into, path.Base(filepath.ToSlash(from)))
	}
	for _, e := range set.Entries {
		name := strings.TrimPrefix(path.Join(into, e.Rel), "/")
		_, twice := files[name]
		switch {
		case name == "":
			return errors.New("a file cannot be the root of the image; expected /NAME")
		case strings.HasPrefix(path.Base(name), ".wh."):
			return fmt.Errorf("%s: names with .wh. mean deleted files in an image", e.Path)
		case twice, name == b.service.Name:
			return fmt.Errorf("/%s is in the image already", name)
		}
		files[name] = e
	}
	return nil
}

// parents returns the folders that the files lie in and that are not there yet.
func (files placed) parents(there map[string]bool) []string {
	dirs := map[string]bool{}
	for name := range files {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if !there[dir] {
				dirs[dir] = true
			}
		}
	}
	return slices.Collect(maps.Keys(dirs))
}

// filesLayer writes the files, and the folders that are not there yet: an entry
// for one that the base has would change its mode.
func (b *bundler) filesLayer(files placed, there map[string]bool) (blob.Layer, error) {
	names := append(slices.Collect(maps.Keys(files)), files.parents(there)...)
	slices.Sort(names)
	return b.store.Layer(func(a *archive.Writer) error {
		for _, name := range names {
			if err := b.addFile(a, name, files); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bundler) addFile(a *archive.Writer, name string, files placed) error {
	e, ok := files[name]
	switch {
	case !ok:
		return a.Dir(name, 0o755, archive.Owner{})
	case e.Link != "":
		return a.Link(name, e.Link)
	}
	f, err := b.root.Open(e.Path)
	if err != nil {
		return fmt.Errorf("image.files: %w", err)
	}
	defer f.Close()
	return b.addOpen(a, name, e, f)
}

func (b *bundler) addOpen(a *archive.Writer, name string, e fileset.Entry, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("image.files: %w", err)
	}
	mode := int64(0o644)
	if e.Executable {
		mode = 0o755
	}
	scanner := secrets.NewScanner("/" + name)
	if err := a.File(name, mode, info.Size(), io.TeeReader(f, scanner)); err != nil {
		return err
	}
	b.suspect(scanner.Findings())
	return nil
}
