package gitlab

import (
	"context"
	"net/http"

	api "gitlab.com/gitlab-org/api/client-go/v2"
)

// Tag is a tag as GitLab has it.
type Tag struct {
	Name    string
	Commit  string // the commit, also where the tag is annotated
	Message string // of an annotated tag
}

// Tag returns the tag of a name, or nil where there is none.
//
// Before GitLab 18.8 a job token may not read a single tag and is told 404, so
// a job token asks the list as well.
func (c *Client) Tag(ctx context.Context, name string) (*Tag, error) {
	tag, _, err := c.api.Tags.GetTag(c.project, name, api.WithContext(ctx))
	err = c.failed("read tag "+name, err)
	switch {
	case err == nil:
		return tagOf(tag), nil
	case status(err) != http.StatusNotFound:
		return nil, err
	}
	return c.listedTag(ctx, name)
}

// listedTag finds a tag in the list. That tells "no such tag" from "no such
// project, or not for you", which a single read does not.
func (c *Client) listedTag(ctx context.Context, name string) (*Tag, error) {
	search := "^" + name + "$"
	found, _, err := c.api.Tags.ListTags(c.project, &api.ListTagsOptions{Search: &search}, api.WithContext(ctx))
	if err != nil {
		return nil, hinted(c.failed("list the tags of "+c.project, err), c.hintRead())
	}
	for _, tag := range found {
		if tag.Name == name {
			return tagOf(tag), nil
		}
	}
	return nil, nil
}

func tagOf(tag *api.Tag) *Tag {
	t := &Tag{Name: tag.Name, Message: tag.Message}
	if tag.Commit != nil {
		t.Commit = tag.Commit.ID
	}
	return t
}

func (c *Client) hintRead() string {
	hint := "the project is not at this address, or the token may not read it: " + settingMember
	if c.token.Kind() == KindJob {
		hint += "; for a job of another project: " + settingAllowlist
	}
	return hint
}
