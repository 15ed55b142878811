package build

import (
	"io"
	"os"
	"path/filepath"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/source"
)

// copyTree copies the sources below root and returns where the service is
// then. The folders above it have their names, so that modules which go.mod
// replaces by "../x" are where they are expected.
func copyTree(tree *source.Tree, root string) (string, error) {
	up := 0
	for _, f := range tree.Files {
		up = max(up, strings.Count(f.Path+"/", "../"))
	}
	names := []string{root}
	at, err := filepath.Abs(tree.Dir)
	if err != nil {
		return "", err
	}
	var last []string
	for range up + 1 {
		last = append([]string{filepath.Base(at)}, last...)
		at = filepath.Dir(at)
	}
	dir := filepath.Join(append(names, last...)...)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for _, f := range tree.Files {
		rel := filepath.FromSlash(f.Path)
		if err := copyFile(filepath.Join(tree.Dir, rel), filepath.Join(dir, rel)); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// copyFile copies a regular file with its mode, or a link as it is.
func copyFile(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if info.Mode()&os.ModeSymlink != 0 {
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, info.Mode().Perm()|0o200)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
