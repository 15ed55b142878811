package release

import (
	"context"
	"errors"
	"fmt"

	"gitlab.com/selfcontained/pipeline/pipeline/gitrepo"
)

// GitTag makes tags with git: in the working copy, and in its remote.
type GitTag struct {
	Repo *gitrepo.Repo
	// Remote is the name of the remote, empty without one.
	Remote string
	// Message makes the tag annotated; Sign needs one.
	Message string
	Sign    bool
}

// Has implements Tagger. The remote decides: a tag that is here alone is not
// there yet.
func (g *GitTag) Has(ctx context.Context, tag, commit string) (bool, error) {
	here, err := g.Repo.TagAt(ctx, tag)
	switch {
	case errors.Is(err, gitrepo.ErrNoTag):
	case err != nil:
		return false, err
	case here.Commit != commit:
		return false, &gitrepo.TagExistsError{Name: tag, Commit: here.Commit, Wanted: commit}
	}
	if g.Remote == "" {
		return here.Commit != "", nil
	}
	tags, err := g.Repo.RemoteTags(ctx, g.Remote, tag)
	if err != nil {
		return false, err
	}
	for _, t := range tags {
		if t.Name != tag {
			continue
		}
		if t.Commit != commit {
			return false, &gitrepo.TagExistsError{Name: tag, Remote: g.Remote, Commit: t.Commit, Wanted: commit}
		}
		return here.Commit != "", nil
	}
	return false, nil
}

// Make implements Tagger.
func (g *GitTag) Make(ctx context.Context, tag, commit string) error {
	if err := g.Repo.CreateTag(ctx, tag, commit, g.Message, g.Sign); err != nil {
		return err
	}
	if g.Remote == "" {
		return nil
	}
	return g.Repo.PushTag(ctx, g.Remote, tag)
}

func (g *GitTag) String() string {
	what := "make the tag"
	if g.Sign {
		what = "make the signed tag"
	}
	if g.Remote != "" {
		return fmt.Sprintf("%s here and in %s:", what, g.Remote)
	}
	return what + " here:"
}
