// Package gitrepo reads and changes a git repository through the git command.
//
// Only plumbing with stable output is used, as git has it since 2.30. What is
// read or written depends on the repository alone: settings of the user, hooks
// and variables like GIT_DIR that would change it are switched off, while those
// that say how to reach a server and who signs are kept. Without git, or
// outside of a repository, Open returns ErrNoRepository: a folder that is no
// working copy is a fact, not a failure.
//
// What changes something looks first whether it is done already, so that it may
// be repeated. No command asks a question or waits for an answer, and no error
// shows a credential.
package gitrepo

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrNoRepository says that a folder is in no git working copy, or that there
// is no git command.
var ErrNoRepository = errors.New("no git repository")

// Repo is a working copy.
type Repo struct {
	// Root is the absolute path of its top folder.
	Root string
	// Identity makes tags and commits where git is told no other.
	Identity Identity
}

// Identity is a person or a program that makes commits. The zero value is the
// program "pipeline".
type Identity struct{ Name, Email string }

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
	all, err := r.tagCommits(ctx, prefix)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	merged, err := r.tagCommits(ctx, prefix, "--merged="+commit)
	if err != nil {
		return nil, err
	}
	if len(merged) < len(all) {
		// Git looks for these along commit dates, and misses tags where a clock
		// was wrong. A walk along the parents does not.
		if merged, err = r.walkTags(ctx, commit, all); err != nil {
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(merged)), nil
}

// tagCommits returns the commits of the tags that begin with prefix, by name.
func (r *Repo) tagCommits(ctx context.Context, prefix string, args ...string) (map[string]string, error) {
	args = append([]string{"for-each-ref", "--format=%(refname:strip=2)%00%(objectname)%00%(*objectname)"}, args...)
	out, err := r.git(ctx, append(args, "refs/tags/")...)
	if err != nil {
		return nil, err
	}
	commits := map[string]string{}
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\x00")
		if len(f) == 3 && strings.HasPrefix(f[0], prefix) {
			commits[f[0]] = cmp.Or(f[2], f[1])
		}
	}
	return commits, nil
}

// walkTags returns those of the tags that are on a commit or in its history.
func (r *Repo) walkTags(ctx context.Context, commit string, tags map[string]string) (map[string]string, error) {
	out, err := r.git(ctx, "rev-list", commit)
	if err != nil {
		return nil, err
	}
	history := map[string]bool{}
	for hash := range strings.FieldsSeq(out) {
		history[hash] = true
	}
	reachable := maps.Clone(tags)
	maps.DeleteFunc(reachable, func(_, hash string) bool { return !history[hash] })
	return reachable, nil
}

// globEscape keeps a prefix with pattern characters from matching more.
func globEscape(s string) string {
	return strings.NewReplacer("*", `\*`, "?", `\?`, "[", `\[`, `\`, `\\`).Replace(s)
}

// Commit is one commit of a history.
type Commit struct {
	Hash, Author, Email string
	Parents             []string // full hashes; none at the end of a shallow history
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
	args := append([]string{"log", "-z", "--no-show-signature", "--format=%H%x01%an%x01%ae%x01%P%x01%ct%x01%s%x01%b", span, "--"}, paths...)
	out, err := r.git(ctx, args...)
	if err != nil {
		return nil, err
	}
	var commits []Commit
	for entry := range strings.SplitSeq(out, "\x00") {
		f := strings.SplitN(entry, "\x01", 7)
		if len(f) < 7 {
			continue
		}
		commits = append(commits, Commit{
			Hash: f[0], Author: f[1], Email: f[2], Parents: strings.Fields(f[3]), Time: seconds(f[4]),
			Subject: f[5], Body: strings.TrimSpace(f[6]),
		})
	}
	return commits, nil
}

// seconds reads a time as git writes it: since 1970, in UTC.
func seconds(s string) time.Time {
	n, _ := strconv.ParseInt(strings.TrimSpace(s), 10, 64) // git wrote it
	return time.Unix(n, 0).UTC()
}

// CommitTime returns when a commit was made (not when its change was written).
func (r *Repo) CommitTime(ctx context.Context, rev string) (time.Time, error) {
	out, err := r.git(ctx, "log", "-1", "--no-show-signature", "--format=%ct", "--end-of-options", rev, "--")
	return seconds(out), err
}

// IsAncestor reports whether a commit is another one or in its history. In a
// shallow history a commit can be one without being seen as one.
func (r *Repo) IsAncestor(ctx context.Context, commit, of string) (bool, error) {
	_, err := r.git(ctx, "merge-base", "--is-ancestor", commit, of)
	if exitCode(err) == 1 {
		return false, nil
	}
	return err == nil, err
}

// Shallow reports whether the history is cut off.
func (r *Repo) Shallow(ctx context.Context) (bool, error) {
	out, err := r.git(ctx, "rev-parse", "--is-shallow-repository")
	return strings.TrimSpace(out) == "true", err
}
