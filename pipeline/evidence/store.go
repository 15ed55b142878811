package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Store keeps verdicts by key and contents by digest in a folder that may be
// deleted at any time, and that Trim keeps small. Contents are verified when
// they are read, so that a torn or tampered file is as good as none. Safe for
// use by many processes.
type Store struct{ dir string }

// Open returns the store in dir; the folder is made when something is put.
func Open(dir string) *Store { return &Store{dir: dir} }

func (s *Store) verdictFile(key Digest) string {
	h := key.Hex()
	return filepath.Join(s.dir, "verdicts", h[:2], h+".json")
}

func (s *Store) blobFile(d Digest) string {
	h := d.Hex()
	return filepath.Join(s.dir, "cas", h[:2], h)
}

// Find returns the verdict for a key, or nil when there is none that can be
// read.
func (s *Store) Find(key Digest) *Verdict {
	v, err := ReadVerdict(s.verdictFile(key))
	if err != nil || v.Key != key {
		return nil
	}
	return v
}

// Used notes that the verdict for a key is in use, for Trim.
func (s *Store) Used(key Digest) { Used(s.verdictFile(key)) }

// Put stores the contents of the verdict's outputs, which lie below dir, and
// then the verdict.
func (s *Store) Put(v *Verdict, dir string) error {
	for _, o := range v.Outputs {
		if err := s.putFile(o, filepath.Join(dir, filepath.FromSlash(o.Path))); err != nil {
			return fmt.Errorf("keep output %s of %s: %w", o.Path, v.Stage, err)
		}
	}
	return WriteVerdict(s.verdictFile(v.Key), v)
}

func (s *Store) putFile(o Output, from string) error {
	to := s.blobFile(o.Digest)
	if info, err := os.Stat(to); err == nil && info.Size() == o.Size {
		Used(to)
		return nil
	}
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return writeFile(to, f, 0o444, false)
}

// PutJSON stores a value and returns the digest of its JSON.
func (s *Store) PutJSON(value any) (Digest, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	d := Sum(data)
	if _, err := os.Stat(s.blobFile(d)); err == nil {
		Used(s.blobFile(d))
		return d, nil
	}
	return d, writeFile(s.blobFile(d), strings.NewReader(string(data)), 0o444, false)
}

// GetJSON reads a value that PutJSON stored. Content that does not hash to d
// is an error.
func (s *Store) GetJSON(d Digest, value any) error {
	data, err := os.ReadFile(s.blobFile(d))
	if err != nil {
		return err
	}
	if Sum(data) != d {
		return fmt.Errorf("content %s is damaged", d.Short())
	}
	return json.Unmarshal(data, value)
}

// Restore makes dir hold exactly the outputs of v. On an error dir is left as
// it was. It returns fs.ErrNotExist (wrapped) when the store lacks a content
// or has it damaged.
func (s *Store) Restore(v *Verdict, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".restore-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	for _, o := range v.Outputs {
		if err := s.restoreFile(o, filepath.Join(tmp, filepath.FromSlash(o.Path))); err != nil {
			return fmt.Errorf("restore %s: %w", o.Path, err)
		}
	}
	return ReplaceDir(tmp, dir)
}

func (s *Store) restoreFile(o Output, to string) error {
	name := s.blobFile(o.Digest)
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := writeFile(to, f, outputMode(o), false); err != nil {
		return err
	}
	if d, err := SumFile(to); err != nil || d != o.Digest {
		os.Remove(name)
		return errors.Join(err, fmt.Errorf("content %s was damaged: %w", o.Digest.Short(), fs.ErrNotExist))
	}
	return nil
}

func outputMode(o Output) fs.FileMode {
	if o.Executable {
		return 0o755
	}
	return 0o644
}

// ReplaceDir renames from to to; what was at to before is removed.
func ReplaceDir(from, to string) error {
	err := os.Rename(from, to)
	if err == nil || !errors.Is(err, fs.ErrExist) && !isNotEmpty(err) {
		return err
	}
	old, err := os.MkdirTemp(filepath.Dir(to), ".old-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(old)
	if err := os.Rename(to, filepath.Join(old, "d")); err != nil {
		return err
	}
	return os.Rename(from, to)
}

// Dir returns the folder of the store.
func (s *Store) Dir() string { return s.dir }
