// Package source lists the files of a service and their digests.
//
// What git tracks or would track is a source (untracked files that .gitignore
// does not name included); without git, every file below the folder. Files of
// other modules that go.mod replaces by a local path belong to it too. Content
// is what counts: every file is read and hashed in every process, so that an
// edit that keeps size and time is seen. Within one process a second Scan
// reads only what the file system says has changed.
package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/modfile"
	"golang.org/x/sync/errgroup"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// File is one source file.
type File struct {
	// Path is relative to the service, with slashes; files of replaced modules
	// begin with "../".
	Path   string
	Digest evidence.Digest
	// Embeds are the patterns of the file's go:embed directives.
	Embeds []string
}

// Folder scans one service. Safe for concurrent use.
type Folder struct {
	Dir string

	mu   sync.Mutex
	tree *Tree
	seen map[string]seenFile
}

type seenFile struct {
	stamp evidence.Stamp
	file  File
}

// Open returns the folder at dir; nothing is read yet.
func Open(dir string) *Folder { return &Folder{Dir: dir, seen: map[string]seenFile{}} }

// Scan returns the sources as they were when the folder was first scanned, or
// last refreshed, in this process: all stages of a plan speak of one state.
func (f *Folder) Scan(ctx context.Context) (*Tree, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tree != nil {
		return f.tree, nil
	}
	return f.scan(ctx)
}

// Refresh makes later Scans return the sources as they are now.
func (f *Folder) Refresh(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := f.scan(ctx)
	return err
}

func (f *Folder) scan(ctx context.Context) (*Tree, error) {
	paths, err := f.list(ctx)
	if err != nil {
		return nil, err
	}
	files := make([]*File, len(paths))
	var g errgroup.Group
	g.SetLimit(max(2, runtime.NumCPU()))
	var mu sync.Mutex
	for i, path := range paths {
		g.Go(func() error {
			file, st, err := f.read(path, &mu)
			if err != nil || file == nil {
				return err
			}
			files[i] = file
			mu.Lock()
			f.seen[path] = seenFile{st, *file}
			mu.Unlock()
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	tree := &Tree{Dir: f.Dir}
	for _, file := range files {
		if file != nil {
			tree.Files = append(tree.Files, *file)
		}
	}
	f.tree = tree
	return tree, nil
}

// list returns the paths of all sources, sorted, relative to the folder.
func (f *Folder) list(ctx context.Context) ([]string, error) {
	var all []string
	for _, dir := range append([]string{"."}, localModules(f.Dir)...) {
		paths, err := listDir(ctx, filepath.Join(f.Dir, dir))
		if err != nil {
			return nil, err
		}
		for _, p := range paths {
			all = append(all, filepath.ToSlash(filepath.Join(dir, p)))
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// localModules returns the folders, relative to dir, of the modules that
// go.mod replaces by a local path, and those that these replace.
func localModules(dir string) []string {
	seen := map[string]bool{".": true}
	queue := []string{"."}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		name := filepath.Join(dir, at, "go.mod")
		data, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		mod, err := modfile.Parse(name, data, nil)
		if err != nil {
			continue // the build says what is wrong with it
		}
		for _, r := range mod.Replace {
			if r.New.Version != "" || filepath.IsAbs(r.New.Path) {
				continue
			}
			if next := filepath.Join(at, r.New.Path); !seen[next] {
				seen[next] = true
				queue = append(queue, next)
			}
		}
	}
	delete(seen, ".")
	var dirs []string
	for d := range seen {
		dirs = append(dirs, d)
	}
	slices.Sort(dirs)
	return dirs
}

// read hashes one file; nil means that it is gone or is no file or link.
func (f *Folder) read(path string, mu *sync.Mutex) (*File, evidence.Stamp, error) {
	name := filepath.Join(f.Dir, filepath.FromSlash(path))
	info, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, evidence.Stamp{}, nil
	}
	if err != nil {
		return nil, evidence.Stamp{}, err
	}
	st := evidence.StampOf(info)
	mu.Lock()
	old, ok := f.seen[path]
	mu.Unlock()
	if ok && st.Same(old.stamp) {
		return &old.file, st, nil
	}
	file := &File{Path: path}
	switch {
	case info.Mode().IsRegular():
		err = file.hash(name, info.Mode()&0o111 != 0)
	case info.Mode()&fs.ModeSymlink != 0:
		var target string
		target, err = os.Readlink(name)
		file.Digest = evidence.Sum([]byte("link " + target))
	default:
		return nil, evidence.Stamp{}, nil
	}
	return file, st, err
}

// hash reads the file; whether it is executable is part of its digest.
func (file *File) hash(name string, executable bool) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if executable {
		io.WriteString(h, "executable\x00")
	}
	if !strings.HasSuffix(name, ".go") {
		_, err = io.Copy(h, f)
		file.Digest = evidence.SumOf(h)
		return err
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	h.Write(data)
	file.Digest, file.Embeds = evidence.SumOf(h), embeds(data)
	return nil
}

// embeds returns the patterns of the go:embed directives in a Go file. It may
// return too many (a directive inside a string), never too few.
func embeds(src []byte) []string {
	var patterns []string
	for line := range bytes.Lines(src) {
		rest, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("//go:embed"))
		if !ok {
			continue
		}
		for _, word := range strings.Fields(string(rest)) {
			word = strings.Trim(word, "\"`")
			patterns = append(patterns, strings.TrimPrefix(word, "all:"))
		}
	}
	return patterns
}
