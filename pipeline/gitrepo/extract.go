package gitrepo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Extracted tells what came out of a commit, by paths with slashes from the top
// of the repository, in their order.
type Extracted struct {
	Commit string // full hash
	Files  int    // files and links that were written
	// Submodules are folders whose content is in another repository: they are
	// there and empty.
	Submodules []string
	// Outside are symbolic links that lead out of the folder: left out.
	Outside []string
}

// Extract writes the files of a commit, or of what a tag names, to a new or
// empty folder, below the paths that they have in the repository. paths limits
// them to these files and folders, relative to the top or absolute.
//
// The bytes are those of the commit: they are read as objects, since `git
// archive` and `git checkout` follow attributes (export-ignore, export-subst,
// line ends, filters) and settings. Files that can be executed stay so. Nothing
// is written outside of dir, whatever the commit has.
func (r *Repo) Extract(ctx context.Context, rev, dir string, paths ...string) (Extracted, error) {
	commit, err := r.commitOf(ctx, rev)
	if err != nil {
		return Extracted{}, err
	}
	entries, err := r.listTree(ctx, commit, paths)
	if err != nil {
		return Extracted{}, err
	}
	if len(entries) == 0 {
		return Extracted{}, fmt.Errorf("commit %s has no files at %s", commit, strings.Join(paths, ", "))
	}
	x, err := newExtraction(dir)
	if err != nil {
		return Extracted{}, err
	}
	defer x.root.Close()
	x.Commit = commit
	if err := r.extract(ctx, x, entries); err != nil {
		return Extracted{}, fmt.Errorf("extract commit %s: %w", commit, err)
	}
	return x.Extracted, nil
}

// treeEntry is a file, a link or a submodule of a commit.
type treeEntry struct{ mode, hash, name string }

// The modes of a tree that are treated in a way of their own; see
// git-fast-import(1).
const (
	modeExecutable = "100755"
	modeLink       = "120000"
	modeSubmodule  = "160000"
)

func (r *Repo) listTree(ctx context.Context, commit string, paths []string) ([]treeEntry, error) {
	args := []string{"ls-tree", "-r", "-z", "--full-tree", commit, "--"}
	for _, p := range paths {
		inside, err := r.relative(p)
		if err != nil {
			return nil, err
		}
		if inside == "." {
			args = args[:slices.Index(args, "--")+1]
			break
		}
		args = append(args, inside)
	}
	out, err := r.git(ctx, args...)
	if err != nil {
		return nil, err
	}
	var entries []treeEntry
	for line := range strings.SplitSeq(out, "\x00") {
		info, name, ok := strings.Cut(line, "\t")
		if f := strings.Fields(info); ok && len(f) == 3 {
			entries = append(entries, treeEntry{mode: f[0], hash: f[2], name: name})
		}
	}
	return entries, nil
}

// relative returns a path as git has it: from the top, with slashes.
func (r *Repo) relative(name string) (string, error) {
	rel := filepath.Clean(name)
	if filepath.IsAbs(name) {
		var err error
		if rel, err = filepath.Rel(r.Root, name); err != nil {
			return "", err
		}
	}
	if !filepath.IsLocal(rel) {
		return "", fmt.Errorf("%s is not in the repository %s", name, r.Root)
	}
	return filepath.ToSlash(rel), nil
}

// extraction is a folder that is being filled. Links are made last, so that no
// file can be written through one.
type extraction struct {
	Extracted
	root  *os.Root
	links []link
}

type link struct{ name, target string }

func newExtraction(dir string) (*extraction, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	there, err := os.ReadDir(dir)
	if err == nil && len(there) > 0 {
		err = fmt.Errorf("extract to %s: the folder is not empty", dir)
	}
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &extraction{root: root}, nil
}

// extract reads the objects with one process, in the order of the entries.
func (r *Repo) extract(ctx context.Context, x *extraction, entries []treeEntry) error {
	var wanted strings.Builder
	var files []treeEntry
	for _, e := range entries {
		if gitOwn(e.name) {
			return fmt.Errorf("%q would be read by git itself", e.name)
		}
		if e.mode == modeSubmodule {
			x.Submodules = append(x.Submodules, e.name)
			if err := x.root.MkdirAll(e.name, 0o755); err != nil {
				return err
			}
			continue
		}
		files = append(files, e)
		wanted.WriteString(e.hash + "\n")
	}
	if len(files) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		_, err := r.run(ctx, call{args: []string{"cat-file", "--batch", "--buffer"}, stdin: wanted.String(), stdout: in})
		in.CloseWithError(err)
		ended <- err
	}()
	err := x.readAll(bufio.NewReaderSize(out, 64<<10), files)
	if err != nil {
		cancel()
		out.CloseWithError(err)
		if gitErr := <-ended; gitErr != nil && ctx.Err() == nil {
			return gitErr
		}
		return err
	}
	if err := <-ended; err != nil {
		return err
	}
	return x.makeLinks()
}

func (x *extraction) readAll(out *bufio.Reader, files []treeEntry) error {
	for _, e := range files {
		if err := x.readOne(out, e); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
	}
	return nil
}

// readOne reads "HASH blob SIZE", the content and a line break.
func (x *extraction) readOne(out *bufio.Reader, e treeEntry) error {
	line, err := out.ReadString('\n')
	if err != nil {
		return err
	}
	f := strings.Fields(line)
	if len(f) != 3 || f[1] != "blob" {
		return fmt.Errorf("git cat-file says %q", oneLine(line))
	}
	size, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil {
		return err
	}
	content := io.LimitReader(out, size)
	if e.mode == modeLink {
		target, err := io.ReadAll(content)
		x.links = append(x.links, link{e.name, string(target)})
		if err != nil {
			return err
		}
	} else if err := x.writeFile(e, content, size); err != nil {
		return err
	}
	_, err = out.Discard(1)
	return err
}

func (x *extraction) writeFile(e treeEntry, content io.Reader, size int64) error {
	if dir := path.Dir(e.name); dir != "." {
		if err := x.root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	mode := fs.FileMode(0o644)
	if e.mode == modeExecutable {
		mode = 0o755
	}
	f, err := x.root.OpenFile(e.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	written, err := io.Copy(f, content)
	if err == nil && written != size {
		err = io.ErrUnexpectedEOF
	}
	x.Files++
	return errors.Join(err, f.Chmod(mode), f.Close())
}

func (x *extraction) makeLinks() error {
	for _, l := range x.links {
		if !staysInside(l) {
			x.Outside = append(x.Outside, l.name)
			continue
		}
		if err := errors.Join(x.root.MkdirAll(path.Dir(l.name), 0o755), x.root.Symlink(l.target, l.name)); err != nil {
			return err
		}
		x.Files++
	}
	return nil
}

// staysInside is true for a relative target that goes up, at its beginning
// only, no further than to the top. Up again behind a name is refused: the name
// may be a link itself.
func staysInside(l link) bool {
	if path.IsAbs(l.target) || strings.ContainsRune(l.target, 0) {
		return false
	}
	depth := strings.Count(l.name, "/")
	down := false
	for part := range strings.SplitSeq(l.target, "/") {
		switch {
		case part == "" || part == ".":
		case part != "..":
			down = true
		case down || depth == 0:
			return false
		default:
			depth--
		}
	}
	return true
}
