package gitlab

import (
	"context"

	api "gitlab.com/gitlab-org/api/client-go/v2"
)

// LookRelease tells what EnsureRelease would do, and does nothing: the result
// has Created for what is not there.
func (c *Client) LookRelease(ctx context.Context, r Release) (ReleaseResult, error) {
	r = r.named()
	if err := r.check(); err != nil {
		return ReleaseResult{}, err
	}
	tag, there, err := c.lookUp(ctx, r)
	if err != nil {
		return ReleaseResult{}, err
	}
	result := ReleaseResult{Tag: Created, Release: Created, Text: Created, Links: map[string]Outcome{}}
	if tag != nil {
		result.Tag = Found
	}
	var links []*api.ReleaseLink
	if there != nil {
		result.URL, result.Release, result.Text, links = there.Links.Self, Found, r.lookText(there), there.Assets.Links
	}
	for _, l := range r.Links {
		result.Links[l.Name], _ = l.look(links)
	}
	return result, nil
}

// lookUp reads tag and release; nil is for what is not there. Both must be on
// the commit.
func (c *Client) lookUp(ctx context.Context, r Release) (*Tag, *api.Release, error) {
	tag, err := c.Tag(ctx, r.Tag)
	if err != nil {
		return nil, nil, err
	}
	if tag != nil && tag.Commit != r.Commit {
		return nil, nil, &TagConflictError{Tag: r.Tag, Want: r.Commit, Got: tag.Commit}
	}
	there, err := c.release(ctx, r.Tag)
	if err != nil {
		return nil, nil, err
	}
	if there != nil && there.Commit.ID != "" && there.Commit.ID != r.Commit {
		return nil, nil, &TagConflictError{Tag: r.Tag, Want: r.Commit, Got: there.Commit.ID, Released: true}
	}
	return tag, there, nil
}

// LookAsset tells what EnsureAsset would do, and does nothing.
func (c *Client) LookAsset(ctx context.Context, a Asset) (AssetResult, error) {
	content, err := a.open()
	if err != nil {
		return AssetResult{}, err
	}
	defer content.Close()
	if a.SHA256, err = a.sum(content); err != nil {
		return AssetResult{}, err
	}
	files, err := c.assetFiles(ctx, a)
	if err != nil {
		return AssetResult{}, hinted(err, c.hintPackages())
	}
	result := AssetResult{URL: c.assetURL(a), SHA256: a.SHA256, Outcome: Created}
	for _, f := range files {
		if f.SHA256 != a.SHA256 {
			return result, &AssetConflictError{File: a.Name, Version: a.Version, URL: result.URL, Want: a.SHA256, Got: f.SHA256}
		}
		result.Outcome = Found
	}
	return result, nil
}
