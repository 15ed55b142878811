package gitlab

import (
	"context"
	"fmt"
	"net/url"
	"regexp"

	api "gitlab.com/gitlab-org/api/client-go/v2"
)

// LinkType is what a link of a release leads to.
type LinkType string

const (
	LinkOther   LinkType = "other" // also the zero value
	LinkRunbook LinkType = "runbook"
	LinkImage   LinkType = "image"
	LinkPackage LinkType = "package"
)

// Link is a link of a release. Name and URL are unique in it.
type Link struct {
	Name string
	URL  string // http, https or ftp
	Type LinkType
	// Path makes the link reachable below the release, at downloads/PATH; it
	// begins with a slash. "" is none.
	Path string
}

func (l Link) check() error {
	u, err := url.Parse(l.URL)
	switch {
	case l.Name == "":
		return fmt.Errorf("the link to %s has no name", l.URL)
	case err != nil || (u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "ftp"):
		return fmt.Errorf("link %q: %q is no address that GitLab takes; expected http, https or ftp", l.Name, l.URL)
	case l.Path != "" && (len(l.Path) > 128 || !regexp.MustCompile(`^/([-.\w]+/?)*[\da-zA-Z]+$`).MatchString(l.Path)):
		return fmt.Errorf("link %q: path %q must begin with a slash and have letters, digits, '-', '.' and '_' alone, 128 at most", l.Name, l.Path)
	}
	switch l.kind() {
	case LinkOther, LinkRunbook, LinkImage, LinkPackage:
		return nil
	}
	return fmt.Errorf("link %q: type %q is none of other, runbook, image, package", l.Name, l.Type)
}

func (l Link) kind() LinkType {
	if l.Type == "" {
		return LinkOther
	}
	return l.Type
}

func (l Link) asset() *api.ReleaseAssetLinkOptions {
	kind := api.LinkTypeValue(l.kind())
	o := &api.ReleaseAssetLinkOptions{Name: &l.Name, URL: &l.URL, LinkType: &kind}
	if l.Path != "" {
		o.DirectAssetPath = &l.Path
	}
	return o
}

// look matches by name. A link that leads elsewhere is one of ours from before
// and is set right (Updated, with its id); another link with our address is
// kept, GitLab has each address once.
func (l Link) look(there []*api.ReleaseLink) (Outcome, int64) {
	for _, have := range there {
		if have.Name == l.Name {
			if have.URL == l.URL && string(have.LinkType) == string(l.kind()) {
				return Found, have.ID
			}
			return Updated, have.ID
		}
	}
	for _, have := range there {
		if have.URL == l.URL {
			return Kept, have.ID
		}
	}
	return Created, 0
}

func (c *Client) ensureLink(ctx context.Context, tag string, l Link, there []*api.ReleaseLink) (Outcome, error) {
	outcome, id := l.look(there)
	switch outcome {
	case Created:
		return outcome, c.addLink(ctx, tag, l)
	case Updated:
		return outcome, c.updateLink(ctx, tag, l, id)
	default:
		return outcome, nil
	}
}

func (c *Client) addLink(ctx context.Context, tag string, l Link) error {
	a := l.asset()
	_, _, err := c.api.ReleaseLinks.CreateReleaseLink(c.project, tag, &api.CreateReleaseLinkOptions{
		Name: a.Name, URL: a.URL, DirectAssetPath: a.DirectAssetPath, LinkType: a.LinkType,
	}, api.WithContext(ctx))
	return hinted(c.failed(fmt.Sprintf("add link %q to release %s", l.Name, tag), err), c.hintRelease())
}

func (c *Client) updateLink(ctx context.Context, tag string, l Link, id int64) error {
	a := l.asset()
	_, _, err := c.api.ReleaseLinks.UpdateReleaseLink(c.project, tag, id, &api.UpdateReleaseLinkOptions{
		Name: a.Name, URL: a.URL, DirectAssetPath: a.DirectAssetPath, LinkType: a.LinkType,
	}, api.WithContext(ctx))
	return hinted(c.failed(fmt.Sprintf("update link %q of release %s", l.Name, tag), err), c.hintRelease())
}
