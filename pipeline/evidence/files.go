package evidence

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// WriteFile writes data to a temporary name in the same folder, syncs it and
// renames it: a reader sees the old content or the new. Missing folders are
// made.
func WriteFile(name string, data []byte) error {
	return writeFile(name, strings.NewReader(string(data)), 0o644, true)
}

// writeFile is WriteFile for a stream. sync may be left out for content that
// is verified whenever it is read.
func writeFile(name string, r io.Reader, mode fs.FileMode, sync bool) (err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".tmp-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	if _, err := io.Copy(tmp, r); err != nil {
		tmp.Close()
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := tmp.Chmod(mode); err != nil {
		tmp.Close()
		return err
	}
	if sync {
		if err := tmp.Sync(); err != nil {
			tmp.Close()
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return os.Rename(tmp.Name(), name)
}

// ListOutputs hashes the regular files below dir. Other kinds of file are an
// error: an output must be the same wherever it is copied.
func ListOutputs(dir string) ([]Output, error) {
	var outputs []Output
	err := walkOutputs(dir, func(rel, name string, info fs.FileInfo) error {
		d, err := SumFile(name)
		if err != nil {
			return err
		}
		outputs = append(outputs, Output{Path: rel, Digest: d, Size: info.Size(), Executable: info.Mode()&0o111 != 0})
		return nil
	})
	return outputs, err
}

// walkOutputs calls f for each file in lexical order of its path.
func walkOutputs(dir string, f func(rel, name string, info fs.FileInfo) error) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("output %s is neither file nor folder (%v)", name, info.Mode().Type())
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		return f(filepath.ToSlash(rel), name, info)
	})
}

// SumFile returns the digest of what is in a file.
func SumFile(name string) (Digest, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return SumOf(h), nil
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
