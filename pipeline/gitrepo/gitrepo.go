// Package gitrepo reads a git repository through the git command.
//
// Only plumbing with stable output is used. The user's configuration does not
// change what is read. Without git, or outside of a repository, Open returns
// ErrNoRepository: a folder that is no working copy is a fact, not a failure.
package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// ErrNoRepository says that a folder is in no git working copy, or that there
// is no git command.
var ErrNoRepository = errors.New("no git repository")

// Repo is a working copy.
type Repo struct {
	// Root is the absolute path of its top folder.
	Root string
}

// Root returns the top folder of the working copy that dir is in, or "" when
// it is in none. No process is started.
func Root(dir string) string {
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			return ""
		}
	}
}

// Open returns the working copy that dir is in, or ErrNoRepository.
func Open(dir string) (*Repo, error) {
	root := Root(dir)
	if root == "" {
		return nil, ErrNoRepository
	}
	return &Repo{Root: root}, nil
}

// git runs a git command and returns its output.
func (r *Repo) git(ctx context.Context, args ...string) (string, error) {
	out, err := proc.Cmd{
		Dir:  r.Root,
		Args: append([]string{"git", "--no-optional-locks"}, args...),
		Env:  []string{"LC_ALL=C"},
	}.Output(ctx)
	if proc.NotFound(err) {
		return "", fmt.Errorf("%w: git is not installed", ErrNoRepository)
	}
	return string(out), err
}

// Head is what is checked out.
type Head struct {
	Commit string // full hash; empty before the first commit
	Branch string // empty when the head is detached
	// Dirty says that tracked files differ from the commit or that there are
	// untracked files which are not ignored.
	Dirty bool
}

// Head reads what is checked out. Paths limits what counts for Dirty; none is
// the whole working copy.
func (r *Repo) Head(ctx context.Context, paths ...string) (Head, error) {
	args := append([]string{"status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal", "--"}, paths...)
	out, err := r.git(ctx, args...)
	if err != nil {
		return Head{}, err
	}
	var h Head
	for line := range strings.SplitSeq(out, "\x00") {
		oid, isOID := strings.CutPrefix(line, "# branch.oid ")
		branch, isBranch := strings.CutPrefix(line, "# branch.head ")
		switch {
		case isOID && oid != "(initial)":
			h.Commit = oid
		case isBranch && branch != "(detached)":
			h.Branch = branch
		case line != "" && !strings.HasPrefix(line, "# "):
			h.Dirty = true
		}
	}
	return h, nil
}

// Tags returns the names of the tags that are reachable from a commit and
// begin with prefix.
func (r *Repo) Tags(ctx context.Context, commit, prefix string) ([]string, error) {
	out, err := r.git(ctx, "for-each-ref", "--merged="+commit, "--format=%(refname:strip=2)", "refs/tags/"+globEscape(prefix)+"*")
	return strings.Fields(out), err
}

// globEscape keeps a prefix with pattern characters from matching more.
func globEscape(s string) string {
	return strings.NewReplacer("*", `\*`, "?", `\?`, "[", `\[`, `\`, `\\`).Replace(s)
}

// Commit is one commit of a history.
type Commit struct {
	Hash, Author, Email string
	Time                time.Time
	Subject, Body       string
}

// Log returns the commits that to has and from has not, newest first; an empty
// from means all. paths limits them to those that touch one of these.
func (r *Repo) Log(ctx context.Context, from, to string, paths ...string) ([]Commit, error) {
	span := to
	if from != "" {
		span = from + ".." + to
	}
	args := append([]string{"log", "-z", "--no-show-signature", "--format=%H%x01%an%x01%ae%x01%ct%x01%s%x01%b", span, "--"}, paths...)
	out, err := r.git(ctx, args...)
	if err != nil {
		return nil, err
	}
	var commits []Commit
	for entry := range strings.SplitSeq(out, "\x00") {
		f := strings.SplitN(entry, "\x01", 6)
		if len(f) < 6 {
			continue
		}
		var seconds int64
		fmt.Sscan(f[3], &seconds)
		commits = append(commits, Commit{
			Hash: f[0], Author: f[1], Email: f[2], Time: time.Unix(seconds, 0).UTC(),
			Subject: f[4], Body: strings.TrimSpace(f[5]),
		})
	}
	return commits, nil
}

// Shallow reports whether the history is cut off.
func (r *Repo) Shallow(ctx context.Context) (bool, error) {
	out, err := r.git(ctx, "rev-parse", "--is-shallow-repository")
	return strings.TrimSpace(out) == "true", err
}
