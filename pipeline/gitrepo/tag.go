package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// ErrNoTag says that there is no tag of a name.
var ErrNoTag = errors.New("no such tag")

// Tag is a tag of this repository.
type Tag struct {
	Name   string
	Object string // full hash of what it names: of itself, when it is annotated
	Commit string // full hash of the commit below
	// Annotated and Signed tell how it was made. Whether a signature is good is
	// not looked at.
	Annotated, Signed bool
	// Message is that of an annotated tag, without its signature.
	Message string
}

// TagExistsError says that a tag is on another commit. A tag is never moved.
type TagExistsError struct {
	Name   string
	Remote string // "" for this repository
	Commit string // where it is
	Wanted string // where it was to be
}

func (e *TagExistsError) Error() string {
	where := "in this repository"
	if e.Remote != "" {
		where = "at the remote " + e.Remote
	}
	return fmt.Sprintf("the tag %s is %s on commit %s, not on %s: release another version, or delete the tag if it was made by mistake", e.Name, where, e.Commit, e.Wanted)
}

// TagAt returns a tag of this repository, ErrNoTag when there is none. A tag of
// something that is no commit is an error too.
func (r *Repo) TagAt(ctx context.Context, name string) (Tag, error) {
	ref := "refs/tags/" + name
	const form = "%(refname)%00%(objecttype)%00%(objectname)%00%(contents:signature)%00%(contents)"
	out, err := r.git(ctx, "for-each-ref", "--format="+form, globEscape(ref))
	if err != nil {
		return Tag{}, err
	}
	f := strings.SplitN(out, "\x00", 5)
	if len(f) < 5 || f[0] != ref {
		return Tag{}, fmt.Errorf("%w: %s", ErrNoTag, name)
	}
	t := Tag{Name: name, Object: f[2], Annotated: f[1] == "tag"}
	if t.Annotated {
		t.Signed = f[3] != ""
		t.Message = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(f[4]), strings.TrimSpace(f[3])))
	}
	if t.Commit, err = r.commitOf(ctx, ref); err != nil {
		return Tag{}, fmt.Errorf("the tag %s is on no commit: %w", name, err)
	}
	return t, nil
}

// commitOf returns the full hash of the commit that something names.
func (r *Repo) commitOf(ctx context.Context, rev string) (string, error) {
	out, err := r.git(ctx, "rev-parse", "--verify", "--quiet", rev+"^{commit}")
	if err == nil && (strings.HasPrefix(rev, "-") || rev == "") {
		err = errors.New("it would be an option")
	}
	if err != nil {
		return "", fmt.Errorf("%q is no commit of this repository: %w", rev, err)
	}
	return strings.TrimSpace(out), nil
}

// TagsAt returns the names of the tags on a commit, in their order.
func (r *Repo) TagsAt(ctx context.Context, commit string) ([]string, error) {
	out, err := r.git(ctx, "for-each-ref", "--points-at="+commit, "--format=%(refname:strip=2)", "refs/tags/")
	return strings.Fields(out), err
}

// CreateTag puts a tag on a commit: annotated with a message, or lightweight
// without one. With sign it is signed as the user's configuration says. A tag
// that is on this commit already is left as it is; one on another commit is a
// *TagExistsError.
func (r *Repo) CreateTag(ctx context.Context, name, commit, message string, sign bool) error {
	commit, err := r.commitOf(ctx, commit)
	if err != nil {
		return err
	}
	if done, err := r.tagged(ctx, name, commit); done || err != nil {
		return err
	}
	c := call{args: []string{"tag"}}
	if message != "" || sign {
		how := "--no-sign"
		if sign {
			how = "--sign"
		}
		c.args = append(c.args, "--annotate", how, "--cleanup=verbatim", "--file=-")
		c.stdin, c.env = strings.TrimRight(message, "\n")+"\n", r.identity(ctx)
	}
	c.args = append(c.args, "--end-of-options", name, commit)
	if _, err := r.run(ctx, c); err != nil {
		// Another process may have been quicker.
		if done, raced := r.tagged(ctx, name, commit); done || raced != nil {
			return raced
		}
		return fmt.Errorf("create the tag %s: %w", name, err)
	}
	if sign {
		return r.checkSigned(ctx, name)
	}
	return nil
}

// checkSigned takes a tag back that was to be signed and is not: git 2.39 makes
// it without a word in its exit code when an SSH key is missing.
func (r *Repo) checkSigned(ctx context.Context, name string) error {
	t, err := r.TagAt(ctx, name)
	if err != nil || t.Signed {
		return err
	}
	_, err = r.git(ctx, "update-ref", "-d", "refs/tags/"+name, t.Object)
	return errors.Join(fmt.Errorf("create the tag %s: git has not signed it; check user.signingKey and gpg.format of git's configuration", name), err)
}

// tagged reports whether a tag is on a commit.
func (r *Repo) tagged(ctx context.Context, name, commit string) (bool, error) {
	t, err := r.TagAt(ctx, name)
	switch {
	case errors.Is(err, ErrNoTag):
		return false, nil
	case err == nil && t.Commit != commit:
		return false, &TagExistsError{Name: name, Commit: t.Commit, Wanted: commit}
	}
	return err == nil, err
}

// PushTag gives a tag to a remote (a name or an address). Where it is already,
// on the same commit, that is done, even if it was made there by somebody else.
// On another commit: a *TagExistsError. Everything else is a *RemoteError.
func (r *Repo) PushTag(ctx context.Context, remote, name string) error {
	tag, err := r.TagAt(ctx, name)
	if err != nil {
		return err
	}
	ref := "refs/tags/" + name
	_, err = r.ask(ctx, remoteCall{
		action: "push the tag " + name, remote: remote,
		args:  []string{"push", "--porcelain", "--no-verify", "--", remote, ref + ":" + ref},
		typed: []string{"push", remote, ref},
	})
	var failed *RemoteError
	if !errors.As(err, &failed) {
		return err
	}
	// What is there decides, not the words in which it was refused.
	there, lookErr := r.remoteTag(ctx, remote, name)
	switch {
	case lookErr != nil || there.Name == "":
		return err
	case there.Commit != tag.Commit:
		return &TagExistsError{Name: name, Remote: withoutCredentials(remote), Commit: there.Commit, Wanted: tag.Commit}
	}
	return nil
}
