package config

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// paths checks what the file says of the file system.
func (c *checker) paths() {
	c.folder(at("chart"), c.s.Chart)
	c.folder(at("manifests"), c.s.Manifests)
	for i, file := range c.s.API.Provides {
		c.path(at("api", "provides").index(i), file)
	}
	for i, file := range c.s.API.Uses {
		c.path(at("api", "uses").index(i), file)
	}
	for i, file := range c.s.Trust {
		c.path(at("trust").index(i), file)
	}
	for target, file := range c.s.Image.Files {
		c.path(at("image", "files", target), file)
		if p := at("image", "files", target); path.Clean(target) != strings.TrimSuffix(target, "/") && target != "/" && path.IsAbs(target) {
			c.problem(c.keys[p], "%q; expected %q", target, path.Clean(target))
		}
	}
	if base := c.s.Image.Base; isPath(base) {
		c.path(at("image", "base"), base)
	}
	for i, w := range c.s.Integration.With {
		p := at("integration", "with").index(i)
		if !strings.Contains(w.Chart, "://") {
			c.path(p.key("chart"), w.Chart)
		}
		c.path(p.key("manifests"), w.Manifests)
	}
}

// isPath tells a path from an image reference.
func isPath(base string) bool {
	return strings.HasPrefix(base, "./") || strings.HasPrefix(base, "../") || strings.HasPrefix(base, "/")
}

// places checks paths of a file that belongs to the folder dir in the repository
// root.
type places struct {
	*decoder
	dir, root string
}

// folder checks the path of a folder.
func (c *places) folder(p where, rel string) {
	if info := c.path(p, rel); info != nil && !info.IsDir() {
		c.problem(c.node(p), "%q is no folder; expected one", rel)
	}
}

// path checks that a path of the file is there and stays in the repository, by
// its links too. It returns nil when it is empty or not there.
func (c *places) path(p where, rel string) fs.FileInfo {
	if strings.TrimSpace(rel) == "" {
		return nil
	}
	n := c.node(p)
	if path.IsAbs(rel) || strings.Contains(rel, `\`) {
		c.problem(n, "%q is no relative path; expected one with slashes, relative to the folder of this file", rel)
		return nil
	}
	full := filepath.Join(c.dir, filepath.FromSlash(rel))
	if !within(c.root, full) {
		c.problem(n, "%q leaves the repository; expected a path inside %s", rel, display(c.root))
		return nil
	}
	target, err := filepath.EvalSymlinks(full)
	if err != nil {
		c.problem(n, "%q: %s; expected a path relative to the folder of this file", rel, reason(err))
		return nil
	}
	if root, err := filepath.EvalSymlinks(c.root); err == nil && !within(root, target) {
		c.problem(n, "%q is a link that leaves the repository; expected a path inside %s", rel, display(c.root))
		return nil
	}
	info, err := os.Stat(target)
	if err != nil {
		c.problem(n, "%q: %s; expected a readable path", rel, reason(err))
		return nil
	}
	return info
}

// reason tells why a path cannot be used, without the path.
func reason(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "no such file or folder"
	}
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err.Error()
	}
	return err.Error()
}

// within reports whether path is root or lies below it.
func within(root, path string) bool {
	rel, err := filepath.Rel(root, path)
	return err == nil && filepath.IsLocal(rel)
}

// repository returns the nearest folder at or above dir with a .git, or dir
// itself without one.
func repository(dir string) string {
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			return dir
		}
	}
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// base returns the last element of a module path or a file path, without a
// major version or extension, as a DNS label as far as that goes.
func base(name string) string {
	name = strings.TrimRight(name, "/")
	if dir, last := path.Split(name); len(dir) > 1 && isMajor(last, "v") {
		name = strings.TrimRight(dir, "/")
	}
	name = path.Base(name)
	if i := strings.LastIndex(name, ".v"); i > 0 && isMajor(name[i+1:], "v") {
		name = name[:i] // gopkg.in/yaml.v3
	}
	return strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
}

// isMajor reports whether word is a major version from 2 on, such as v2.
func isMajor(word, prefix string) bool {
	digits, ok := strings.CutPrefix(word, prefix)
	n, err := strconv.ParseUint(digits, 10, 31)
	return ok && err == nil && n > 0 && digits[0] != '0'
}
