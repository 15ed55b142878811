package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// fetchArgs fetch nothing but what is named, and write no FETCH_HEAD.
func fetchArgs() []string {
	return []string{"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-prune"}
}

// deepenSteps are by how many commits a history is deepened, one after the
// other, before all of it is fetched.
func deepenSteps() []int { return []int{50, 200, 800, 3200} }

// clockMargin is by how much the clocks of those who commit may differ.
const clockMargin = 24 * time.Hour

// Deepen fetches what a shallow clone lacks, from a remote (a name or an
// address), so that the commits since the tag upto are known exactly as in a
// complete clone: afterwards upto is here and, where it is in the history of the
// head, seen as such. An empty upto, and one that is not in that history, ask
// for all of it. Other tags on commits that are here come along. In a complete
// clone only missing tags are fetched. The error is a *RemoteError that names
// the command to type, or ErrNoTag when the remote has no tag upto.
//
// That the tag is seen is not enough: a branch that began before the tag and was
// merged after it may be cut off, or what is below it be taken for new since the
// history of the tag is cut off. So the clone is deepened until nothing since
// the tag is cut, and all of it is younger, by a day for clocks that differ,
// than the places where the history of the tag is cut: what is younger cannot be
// hidden below them. (git's --shallow-exclude is no way: it cuts all parents of
// a merge of which one is in the history of the tag.)
func (r *Repo) Deepen(ctx context.Context, remote, upto string) error {
	shallow, err := r.Shallow(ctx)
	if err != nil {
		return err
	}
	if !shallow && upto != "" {
		if _, err := r.TagAt(ctx, upto); err == nil {
			return nil
		}
	}
	tags, err := r.RemoteTags(ctx, remote, "")
	if err != nil {
		return deepenError(err, remote)
	}
	at := slices.IndexFunc(tags, func(t RemoteTag) bool { return t.Name == upto })
	if at < 0 && upto != "" {
		return fmt.Errorf("%w: the remote %s has no tag %s", ErrNoTag, withoutCredentials(remote), upto)
	}
	if shallow {
		d := deepening{repo: r, remote: remote}
		if at >= 0 {
			d.tag = tags[at]
		}
		if err := d.run(ctx); err != nil {
			return err
		}
	}
	return r.fetchTags(ctx, remote, tags, upto)
}

// deepenError names the command for the whole, not for its first step.
func deepenError(err error, remote string) error {
	var e *RemoteError
	if errors.As(err, &e) {
		e.Action, e.Command = "fetch the history", withoutCredentials("git fetch --unshallow --tags "+remote)
	}
	return err
}

// deepening is the way to one tag, or to the beginning without one.
type deepening struct {
	repo   *Repo
	remote string
	tag    RemoteTag
	head   string
}

func (d *deepening) run(ctx context.Context) error {
	head, err := d.repo.commitOf(ctx, "HEAD")
	if err != nil {
		return err
	}
	d.head = head
	if d.tag.Name != "" {
		if d.tag.Commit == head {
			return nil
		}
		if done, err := d.toTag(ctx); done || err != nil {
			return err
		}
	}
	err = d.repo.fetch(ctx, d.remote, true, head)
	if e := new(RemoteError); errors.As(err, &e) && e.Reason == Refused {
		// The remote does not know the head: its branches are below it.
		_, err = d.repo.ask(ctx, remoteCall{
			action: "fetch the history", remote: d.remote, args: append(fetchArgs(), "--unshallow", "--", d.remote), typed: []string{"fetch", "--unshallow", "--tags", d.remote},
		})
	}
	return err
}

// toTag returns false when only the complete history will do.
func (d *deepening) toTag(ctx context.Context) (bool, error) {
	for _, step := range deepenSteps() {
		if done, err := d.exact(ctx); done || err != nil {
			return done, err
		}
		if ok, err := d.fetch(ctx, fmt.Sprintf("--deepen=%d", step)); !ok {
			return false, err
		}
		if shallow, err := d.repo.Shallow(ctx); !shallow {
			return true, err
		}
	}
	return d.exact(ctx)
}

// exact reports whether the commits since the tag are known for certain.
func (d *deepening) exact(ctx context.Context) (bool, error) {
	if !d.repo.has(ctx, d.tag.Commit) {
		return false, nil
	}
	if below, err := d.repo.IsAncestor(ctx, d.tag.Commit, d.head); !below {
		return false, err
	}
	cut, err := d.repo.cut(ctx)
	if err != nil {
		return false, err
	}
	since, err := d.repo.Log(ctx, d.tag.Commit, d.head)
	if err != nil {
		return false, err
	}
	below, err := d.repo.Log(ctx, "", d.tag.Commit)
	if err != nil {
		return false, err
	}
	var newestCut time.Time
	for _, c := range below {
		if cut[c.Hash] && c.Time.After(newestCut) {
			newestCut = c.Time
		}
	}
	for _, c := range since {
		if cut[c.Hash] || c.Time.Before(newestCut.Add(clockMargin)) {
			return false, nil
		}
	}
	return true, nil
}

// cut returns the commits whose parents are not here: those in the file
// "shallow", see gitrepository-layout(5).
func (r *Repo) cut(ctx context.Context) (map[string]bool, error) {
	name, err := r.git(ctx, "rev-parse", "--git-path", "shallow")
	if err != nil {
		return nil, err
	}
	file := strings.TrimSpace(name)
	if !filepath.IsAbs(file) {
		file = filepath.Join(r.Root, file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read where the history is cut: %w", err)
	}
	cut := map[string]bool{}
	for _, hash := range strings.Fields(string(data)) {
		cut[hash] = true
	}
	return cut, nil
}

// fetch fetches the head with an option for depth. A server that cannot do it is
// no error: it returns false.
func (d *deepening) fetch(ctx context.Context, depth string) (bool, error) {
	_, err := d.repo.ask(ctx, remoteCall{remote: d.remote, args: append(fetchArgs(), depth, "--", d.remote, d.head)})
	var e *RemoteError
	if errors.As(err, &e) && e.Reason == Refused {
		return false, nil
	}
	return err == nil, deepenError(err, d.remote)
}

// has reports whether an object is here.
func (r *Repo) has(ctx context.Context, hash string) bool {
	_, err := r.git(ctx, "cat-file", "-e", hash)
	return err == nil
}

// fetchTags fetches tags that are not here and whose commits are, and the one
// that is wanted in any case.
func (r *Repo) fetchTags(ctx context.Context, remote string, tags []RemoteTag, wanted string) error {
	out, err := r.git(ctx, "for-each-ref", "--format=%(refname:strip=2)", "refs/tags/")
	if err != nil {
		return err
	}
	here := map[string]bool{}
	for _, name := range strings.Fields(out) {
		here[name] = true
	}
	tags = slices.DeleteFunc(slices.Clone(tags), func(t RemoteTag) bool { return here[t.Name] })
	known, err := r.known(ctx, tags)
	if err != nil {
		return err
	}
	var refs strings.Builder
	for _, t := range tags {
		if known[t.Commit] || t.Name == wanted {
			fmt.Fprintf(&refs, "refs/tags/%s:refs/tags/%s\n", t.Name, t.Name)
		}
	}
	if refs.Len() == 0 {
		return nil
	}
	_, err = r.ask(ctx, remoteCall{
		action: "fetch the tags", remote: remote, args: append(fetchArgs(), "--stdin", "--", remote), stdin: refs.String(), typed: []string{"fetch", "--tags", remote},
	})
	return err
}

// known returns which commits of tags are here.
func (r *Repo) known(ctx context.Context, tags []RemoteTag) (map[string]bool, error) {
	var hashes strings.Builder
	for _, t := range tags {
		hashes.WriteString(t.Commit + "\n")
	}
	if hashes.Len() == 0 {
		return nil, nil
	}
	out, err := r.run(ctx, call{args: []string{"cat-file", "--batch-check=%(objectname) %(objecttype)"}, stdin: hashes.String()})
	known := map[string]bool{}
	for line := range strings.Lines(out) {
		if hash, what, _ := strings.Cut(strings.TrimSpace(line), " "); what == "commit" {
			known[hash] = true
		}
	}
	return known, err
}
