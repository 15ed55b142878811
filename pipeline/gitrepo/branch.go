package gitrepo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
)

// FetchBranch makes the commit that a branch of a remote (a name or an address)
// is on be here, with its history, and returns its full hash; "" is no such
// branch. No reference and no working copy is touched. The error is a
// *RemoteError.
func (r *Repo) FetchBranch(ctx context.Context, remote, branch string) (string, error) {
	tip, err := r.RemoteBranch(ctx, remote, branch)
	if err != nil || tip == "" {
		return "", err
	}
	// What was fetched before need not be asked for again, if all of it is here.
	if _, err := r.git(ctx, "rev-list", "--objects", "--quiet", tip, "--"); err == nil {
		return tip, nil
	}
	_, err = r.ask(ctx, remoteCall{
		action: "fetch the branch " + branch, remote: remote, args: append(fetchArgs(), "--", remote, tip),
		typed: []string{"fetch", remote, "refs/heads/" + branch},
	})
	return tip, err
}

// TooLargeError says that there is more than what is read.
type TooLargeError struct {
	What  string // "commit abc"
	Limit int64  // in bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s has more than %d bytes, which is more than is read", e.What, e.Limit)
}

// ReadTree returns all files of a commit by their paths. More than limit bytes
// in all are a *TooLargeError. Anything but an ordinary file (a link, a file
// that can be executed, a submodule) is an error.
func (r *Repo) ReadTree(ctx context.Context, rev string, limit int64) (map[string][]byte, error) {
	commit, err := r.commitOf(ctx, rev)
	if err != nil {
		return nil, err
	}
	out, err := r.git(ctx, "ls-tree", "-r", "-z", "--full-tree", "--long", commit)
	if err != nil {
		return nil, err
	}
	var names, objects []string
	left := limit
	for line := range strings.SplitSeq(out, "\x00") {
		info, name, ok := strings.Cut(line, "\t")
		f := strings.Fields(info)
		if !ok || len(f) != 4 {
			continue
		}
		size, err := strconv.ParseInt(f[3], 10, 64)
		if f[0] != "100644" || err != nil {
			return nil, fmt.Errorf("%s in commit %s is no ordinary file (mode %s)", name, commit, f[0])
		}
		if left -= size; left < 0 {
			return nil, &TooLargeError{"commit " + commit, limit}
		}
		names, objects = append(names, name), append(objects, f[2])
	}
	blobs, err := r.catFile(ctx, objects, limit)
	if err != nil {
		return nil, fmt.Errorf("read commit %s: %w", commit, err)
	}
	files := make(map[string][]byte, len(names))
	for i, name := range names {
		files[name] = blobs[i]
	}
	return files, nil
}

// Version is a file as one commit has it.
type Version struct {
	Commit string // full hash
	// Content is nil where the commit has no such file.
	Content []byte
}

// LogFile returns what a file was like in a commit and the commits below it
// along their first parents, newest first, at most count of them. More than
// limit bytes in all are a *TooLargeError.
func (r *Repo) LogFile(ctx context.Context, rev, file string, count int, limit int64) ([]Version, error) {
	if path.Clean(file) != file || strings.ContainsAny(file, "\n\x00") {
		return nil, fmt.Errorf("%q is no path of a file in a commit", file)
	}
	out, err := r.git(ctx, "rev-list", "--first-parent", fmt.Sprintf("--max-count=%d", count), "--end-of-options", rev, "--")
	if err != nil {
		return nil, err
	}
	var versions []Version
	var objects []string
	for _, commit := range strings.Fields(out) {
		versions, objects = append(versions, Version{Commit: commit}), append(objects, commit+":"+file)
	}
	blobs, err := r.catFile(ctx, objects, limit)
	for i := range blobs {
		versions[i].Content = blobs[i]
	}
	return versions, err
}

// catFile reads blobs with one process, in the order of their names; nil for
// those that are missing.
func (r *Repo) catFile(ctx context.Context, objects []string, limit int64) ([][]byte, error) {
	if len(objects) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		_, err := r.run(ctx, call{args: []string{"cat-file", "--batch", "--buffer"}, stdin: strings.Join(objects, "\n") + "\n", stdout: in})
		in.CloseWithError(err)
		ended <- err
	}()
	blobs, err := readBlobs(bufio.NewReaderSize(out, 64<<10), objects, limit)
	if err != nil {
		cancel()
		out.CloseWithError(err)
		<-ended
		return nil, err
	}
	return blobs, <-ended
}

func readBlobs(out *bufio.Reader, objects []string, limit int64) ([][]byte, error) {
	blobs, left := make([][]byte, len(objects)), limit
	for i, object := range objects {
		line, err := out.ReadString('\n')
		if err != nil {
			return nil, err
		}
		f := strings.Fields(line)
		if len(f) > 0 && f[len(f)-1] == "missing" {
			continue
		}
		if len(f) != 3 || f[1] != "blob" {
			return nil, fmt.Errorf("%s is no file: git cat-file says %q", object, oneLine(line))
		}
		size, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("git cat-file says %q", oneLine(line))
		}
		if left -= size; left < 0 {
			return nil, &TooLargeError{"the history up to " + object, limit}
		}
		blobs[i] = make([]byte, size)
		if _, err := io.ReadFull(out, blobs[i]); err != nil {
			return nil, err
		}
		if _, err := out.Discard(1); err != nil {
			return nil, err
		}
	}
	return blobs, nil
}

// CheckPush asks a remote whether it lets us push at all, without changing
// anything. What only a push itself shows stays open: rules for single branches
// and what a server's hooks say. The error is a *RemoteError.
func (r *Repo) CheckPush(ctx context.Context, remote, branch string) error {
	head, err := r.commitOf(ctx, "HEAD")
	if err != nil {
		return err
	}
	ref := "refs/heads/" + branch
	_, err = r.ask(ctx, remoteCall{
		action: "push the branch " + branch, remote: remote,
		args:  []string{"push", "--porcelain", "--no-verify", "--dry-run", "--", remote, "+" + head + ":" + ref},
		typed: []string{"push", "--dry-run", "--force", remote, "HEAD:" + ref},
	})
	return err
}
