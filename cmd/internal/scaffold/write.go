package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// Write adds the files of the plan to dir, all of them or none: what has been
// written, folders included, is removed when a later file fails. Nothing is
// overwritten, also not through links, and nothing is written outside of dir.
// The error names the file; one that has come into being since the plan was
// made is errors.Is(err, fs.ErrExist). An empty plan does nothing.
func Write(p *Plan, dir string) error {
	if p.Empty() {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open the folder: %w", err)
	}
	defer root.Close()
	w := &writing{root: root}
	for _, f := range p.Files {
		if err := w.file(f); err != nil {
			return w.undo(err)
		}
	}
	return nil
}

// writing remembers what it has made, in order.
type writing struct {
	root *os.Root
	made []string
}

func (w *writing) file(f File) error {
	if !filepath.IsLocal(filepath.FromSlash(f.Path)) {
		return fmt.Errorf("write %q: it lies outside of the folder", f.Path)
	}
	if err := w.folder(path.Dir(f.Path)); err != nil {
		return fmt.Errorf("write %s: %w", f.Path, err)
	}
	out, err := w.root.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.Mode.Perm())
	if err != nil {
		return fmt.Errorf("write %s: %w", f.Path, err)
	}
	w.made = append(w.made, f.Path)
	_, err = out.WriteString(f.Content)
	err = errors.Join(err, out.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", f.Path, err)
	}
	return nil
}

// folder makes a folder and those above it.
func (w *writing) folder(name string) error {
	if name == "." {
		return nil
	}
	if err := w.folder(path.Dir(name)); err != nil {
		return err
	}
	err := w.root.Mkdir(name, 0o755)
	if err == nil {
		w.made = append(w.made, name)
		return nil
	}
	if info, statErr := w.root.Stat(name); statErr == nil && info.IsDir() {
		return nil
	}
	return err
}

// undo removes what was made, the last first, and returns why. A folder into
// which somebody else has written meanwhile stays.
func (w *writing) undo(why error) error {
	var left []error
	for _, name := range slices.Backward(w.made) {
		if err := w.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			left = append(left, fmt.Errorf("take %s back: %w", name, err))
		}
	}
	if len(left) > 0 {
		return errors.Join(why, errors.Join(left...))
	}
	return fmt.Errorf("%w; nothing was written", why)
}
