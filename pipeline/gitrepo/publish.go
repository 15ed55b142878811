package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// LostError says that a branch is not where it was expected to be: somebody
// else has moved it. Read it again, then decide again.
type LostError struct {
	Branch, Remote   string
	Expected, Actual string // full hashes; "" is no such branch
}

func (e *LostError) Error() string {
	name := func(hash string) string {
		if hash == "" {
			return "absent"
		}
		return "on " + hash
	}
	return fmt.Sprintf("the branch %s of the remote %s is %s, not %s as expected: somebody else was quicker; run it again", e.Branch, e.Remote, name(e.Actual), name(e.Expected))
}

// CommitFiles makes a commit with files changed, by their paths from the top of
// the repository with slashes, and returns its hash. Neither a branch nor the
// working copy is touched. An empty parent begins a history. With the same
// arguments and identity it is the same commit, so that it may be made again.
func (r *Repo) CommitFiles(ctx context.Context, parent string, files map[string][]byte, message string, at time.Time) (string, error) {
	tree, err := r.tree(ctx, parent, files)
	if err != nil {
		return "", err
	}
	return r.commitTree(ctx, tree, parent, message, at)
}

// CommitTree is CommitFiles with files as all that the commit has: those of the
// parent are not kept.
func (r *Repo) CommitTree(ctx context.Context, parent string, files map[string][]byte, message string, at time.Time) (string, error) {
	tree, err := r.tree(ctx, "", files)
	if err != nil {
		return "", err
	}
	return r.commitTree(ctx, tree, parent, message, at)
}

func (r *Repo) commitTree(ctx context.Context, tree, parent, message string, at time.Time) (string, error) {
	args := []string{"commit-tree", tree, "-F", "-"}
	if parent != "" {
		args = append(args, "-p", parent)
	}
	date := fmt.Sprintf("@%d +0000", at.Unix())
	out, err := r.run(ctx, call{
		args: args, stdin: strings.TrimRight(message, "\n") + "\n",
		env: append(r.identity(ctx), "GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date),
	})
	return strings.TrimSpace(out), err
}

// tree writes a tree with files changed, in an index of its own.
func (r *Repo) tree(ctx context.Context, parent string, files map[string][]byte) (string, error) {
	dir, err := os.MkdirTemp("", "pipeline-index-")
	if err != nil {
		return "", fmt.Errorf("folder for an index: %w", err)
	}
	defer os.RemoveAll(dir)
	env := []string{"GIT_INDEX_FILE=" + filepath.Join(dir, "index")}
	if parent != "" {
		if _, err := r.run(ctx, call{args: []string{"read-tree", parent + "^{tree}"}, env: env}); err != nil {
			return "", err
		}
	}
	names := slices.Sorted(maps.Keys(files))
	blobs, err := r.blobs(ctx, dir, names, files)
	if err != nil {
		return "", err
	}
	var entries strings.Builder
	for i, name := range names {
		fmt.Fprintf(&entries, "100644 %s\t%s\x00", blobs[i], name)
	}
	if _, err := r.run(ctx, call{args: []string{"update-index", "-z", "--index-info"}, stdin: entries.String(), env: env}); err != nil {
		return "", err
	}
	out, err := r.run(ctx, call{args: []string{"write-tree"}, env: env})
	return strings.TrimSpace(out), err
}

// gitOwn reports whether a path leads into a folder of git itself, which git
// neither stores nor, on some systems, tells apart by case.
func gitOwn(name string) bool {
	return slices.Contains(strings.Split(strings.ToLower(name), "/"), ".git")
}

// blobs stores the contents of files as they are, with one process, and returns
// their hashes in the order of the names.
func (r *Repo) blobs(ctx context.Context, dir string, names []string, files map[string][]byte) ([]string, error) {
	var paths strings.Builder
	for i, name := range names {
		if !fs.ValidPath(name) || name == "." || gitOwn(name) {
			return nil, fmt.Errorf("%q cannot be the path of a file in a commit", name)
		}
		file := filepath.Join(dir, fmt.Sprintf("content-%d", i))
		if err := os.WriteFile(file, files[name], 0o600); err != nil {
			return nil, err
		}
		paths.WriteString(file + "\n")
	}
	if len(names) == 0 {
		return nil, nil
	}
	out, err := r.run(ctx, call{args: []string{"hash-object", "-w", "--no-filters", "--stdin-paths"}, stdin: paths.String()})
	hashes := strings.Fields(out)
	if err == nil && len(hashes) != len(names) {
		err = fmt.Errorf("git hash-object stored %d of %d files", len(hashes), len(names))
	}
	return hashes, err
}

// PushBranch moves a branch of a remote (a name or an address) to a commit, if
// it is where it is expected: on the commit with the full hash expected, or
// absent for "". Of several at once one wins; the others get a *LostError. A
// branch that is on the commit already is left. Other errors: *RemoteError.
func (r *Repo) PushBranch(ctx context.Context, remote, branch, commit, expected string) error {
	commit, err := r.commitOf(ctx, commit)
	if err != nil {
		return err
	}
	ref := "refs/heads/" + branch
	args := []string{"push", "--porcelain", "--no-verify", "--force-with-lease=" + ref + ":" + expected, "--", remote, commit + ":" + ref}
	_, err = r.ask(ctx, remoteCall{action: "push the branch " + branch, remote: remote, args: args})
	var failed *RemoteError
	if !errors.As(err, &failed) {
		return err
	}
	actual, lookErr := r.RemoteBranch(ctx, remote, branch)
	switch {
	case lookErr == nil && actual == commit:
		return nil
	case lookErr == nil && actual != expected:
		return &LostError{Branch: branch, Remote: withoutCredentials(remote), Expected: expected, Actual: actual}
	}
	return err
}

// NotOnBranchError says that a commit is not in the history of a branch.
type NotOnBranchError struct {
	Commit, Branch, Remote string
	Tip                    string // where the branch is; "" is no such branch
}

func (e *NotOnBranchError) Error() string {
	if e.Tip == "" {
		return fmt.Sprintf("the remote %s has no branch %s", e.Remote, e.Branch)
	}
	return fmt.Sprintf("commit %s is not on the branch %s of the remote %s, which is on %s", e.Commit, e.Branch, e.Remote, e.Tip)
}

// OnBranch verifies that a commit is in the history of a branch of a remote, as
// a detached head in CI claims. The server is asked only where what is here does
// not show it; then missing history is fetched. A *NotOnBranchError is final,
// a *RemoteError says that it could not be found out.
func (r *Repo) OnBranch(ctx context.Context, remote, branch, commit string) error {
	if known, err := r.commitOf(ctx, "refs/remotes/"+remote+"/"+branch); err == nil {
		if on, err := r.IsAncestor(ctx, commit, known); on || err != nil {
			return err
		}
	}
	tip, err := r.RemoteBranch(ctx, remote, branch)
	if err != nil {
		return err
	}
	no := &NotOnBranchError{Commit: commit, Branch: branch, Remote: withoutCredentials(remote), Tip: tip}
	if tip == "" {
		return no
	}
	for _, complete := range []bool{false, true} {
		if complete {
			if shallow, err := r.Shallow(ctx); !shallow {
				return errors.Join(err, no)
			}
		}
		if err := r.fetch(ctx, remote, complete, tip); err != nil {
			return err
		}
		if on, err := r.IsAncestor(ctx, commit, tip); on || err != nil {
			return err
		}
	}
	return no
}

// fetch gets a commit, and all of its history when it is to be complete.
func (r *Repo) fetch(ctx context.Context, remote string, complete bool, commit string) error {
	args := fetchArgs()
	if complete {
		args = append(args, "--unshallow")
	}
	_, err := r.ask(ctx, remoteCall{
		action: "fetch the history", remote: remote, args: append(args, "--", remote, commit), typed: []string{"fetch", "--unshallow", "--tags", remote},
	})
	return err
}
