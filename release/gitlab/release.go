package gitlab

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	api "gitlab.com/gitlab-org/api/client-go/v2"
)

// Release is what a version is to look like in GitLab.
type Release struct {
	Tag     string // made if it does not exist
	Commit  string // the full hash; the tag must be on it
	Message string // of the tag, if it is to be annotated
	Name    string // "" is the tag
	Notes   string // Markdown
	Links   []Link
	// Milestones are titles; they must exist.
	Milestones []string
}

// Outcome is what a look found and what was then done.
type Outcome string

const (
	// Created was not there.
	Created Outcome = "created"
	// Found was there as it is to be.
	Found Outcome = "found"
	// Updated was there in an older form of ours.
	Updated Outcome = "updated"
	// Kept was there, changed by somebody else, and is left so.
	Kept Outcome = "kept"
)

// ReleaseResult tells what was there already.
type ReleaseResult struct {
	URL     string // the page of the release
	Tag     Outcome
	Release Outcome
	// Text is about name and notes. They end with a line, which Markdown does
	// not show, with the checksum of what was written; while that is right
	// nobody has touched them and they are replaced, otherwise Kept.
	Text  Outcome
	Links map[string]Outcome // by name
}

// EnsureRelease makes tag and release, or completes them. If the tag is on
// another commit nothing is written and the error is a *TagConflictError.
func (c *Client) EnsureRelease(ctx context.Context, r Release) (ReleaseResult, error) {
	r = r.named()
	if err := r.check(); err != nil {
		return ReleaseResult{}, err
	}
	result := ReleaseResult{Tag: Found, Release: Found, Text: Found, Links: map[string]Outcome{}}
	var err error
	for n := range attempts {
		var done bool
		if done, err = c.tryRelease(ctx, r, &result); done {
			return result, err
		}
		if stop := c.wait(ctx, n); stop != nil {
			return result, stop
		}
	}
	return result, err
}

// named has the name that GitLab shows where there is none.
func (r Release) named() Release {
	if r.Name == "" {
		r.Name = r.Tag
	}
	return r
}

// check refuses what GitLab would refuse only after it made the tag.
func (r Release) check() error {
	if r.Tag == "" || len(r.Commit) < 40 {
		return fmt.Errorf("release %q: tag and full commit hash are needed, the commit is %q", r.Tag, r.Commit)
	}
	seen := map[string]string{}
	for _, l := range r.Links {
		if err := l.check(); err != nil {
			return fmt.Errorf("release %s: %w", r.Tag, err)
		}
		for _, value := range []string{"name " + l.Name, "address " + l.URL, "path " + l.Path} {
			if other, twice := seen[value]; twice && value != "path " {
				return fmt.Errorf("release %s: links %q and %q have the same %s", r.Tag, other, l.Name, value)
			}
			seen[value] = l.Name
		}
	}
	return nil
}

// tryRelease looks and does once. It is not done when another look is needed:
// somebody was faster, or it is open whether a request had its effect.
func (c *Client) tryRelease(ctx context.Context, r Release, result *ReleaseResult) (done bool, err error) {
	tag, there, err := c.lookUp(ctx, r)
	if err != nil {
		return true, err
	}
	switch {
	case there != nil && tag == nil:
		// Both were made between the two looks, or the tag was deleted.
		return false, fmt.Errorf("release %s exists without its tag; delete the release, or make the tag on %s", r.Tag, r.Commit)
	case there != nil:
		return c.completeRelease(ctx, r, there, result)
	}
	if tag == nil {
		result.Tag = Created
	}
	result.Release, result.Text = Created, Created
	made, _, err := c.api.Releases.CreateRelease(c.project, r.options(), api.WithContext(ctx))
	if err := c.failed("create release "+r.Tag, err); err != nil {
		if !open(err) {
			result.Tag, result.Release, result.Text = Found, Found, Found
		}
		return c.refused(ctx, r, err)
	}
	result.URL = made.Links.Self
	for _, l := range r.Links {
		result.Links[l.Name] = Created
	}
	return true, c.checkMade(ctx, r, made)
}

// release reads a release; nil where there is none. A release that the token
// may not read counts as none, the attempt to create it tells more.
func (c *Client) release(ctx context.Context, tag string) (*api.Release, error) {
	there, _, err := c.api.Releases.GetRelease(c.project, tag, api.WithContext(ctx))
	err = c.failed("read release "+tag, err)
	if status(err) == http.StatusNotFound || status(err) == http.StatusForbidden {
		return nil, nil
	}
	return there, err
}

func (r Release) options() *api.CreateReleaseOptions {
	notes := seal(r.Name, r.Notes)
	o := &api.CreateReleaseOptions{TagName: &r.Tag, Ref: &r.Commit, Name: &r.Name, Description: &notes}
	if r.Message != "" {
		o.TagMessage = &r.Message
	}
	if len(r.Milestones) > 0 {
		o.Milestones = &r.Milestones
	}
	if len(r.Links) > 0 {
		o.Assets = &api.ReleaseAssetsOptions{}
		for _, l := range r.Links {
			o.Assets.Links = append(o.Assets.Links, l.asset())
		}
	}
	return o
}

// refused decides what a failed creation means. 409: somebody was faster. 403:
// GitLab checks the right to make the tag before it looks whether the release
// exists, so a look tells. 400: the tag may have been made before the release
// was refused, and then it stays.
func (c *Client) refused(ctx context.Context, r Release, err error) (done bool, _ error) {
	switch code := status(err); {
	case open(err), code == http.StatusConflict:
		return false, err
	case code == http.StatusBadRequest:
		if tag, look := c.Tag(ctx, r.Tag); look == nil && tag != nil {
			err = explained(err, "tag "+r.Tag+" exists by now and stays; put the cause right and run again, the tag will be used")
		}
		return true, err
	case code == http.StatusForbidden:
		if there, look := c.release(ctx, r.Tag); look == nil && there != nil {
			return false, err
		}
	}
	return true, hinted(err, c.hintRelease())
}

func (c *Client) hintRelease() string {
	return "the token needs the role Developer (" + settingMember + ") and, for a protected tag, to be allowed to create it (" + settingProtectedTags + ")"
}

// checkMade looks where GitLab put the release: a tag that somebody else made
// after the look is used by GitLab whatever it is on.
func (c *Client) checkMade(ctx context.Context, r Release, made *api.Release) error {
	got := made.Commit.ID
	if got == "" { // GitLab hides the commit from who may not read code
		tag, err := c.Tag(ctx, r.Tag)
		if err != nil {
			return fmt.Errorf("release %s was made; on which commit could not be read: %w", r.Tag, err)
		}
		if tag == nil {
			return fmt.Errorf("release %s was made, and its tag deleted since", r.Tag)
		}
		got = tag.Commit
	}
	if got == r.Commit {
		return nil
	}
	conflict := &TagConflictError{Tag: r.Tag, Want: r.Commit, Got: got}
	_, _, err := c.api.Releases.DeleteRelease(c.project, r.Tag, api.WithContext(context.WithoutCancel(ctx)))
	conflict.Released = err != nil
	return conflict
}

// completeRelease brings a release that exists to what it is to be.
func (c *Client) completeRelease(ctx context.Context, r Release, there *api.Release, result *ReleaseResult) (done bool, err error) {
	result.URL = there.Links.Self
	text, err := c.completeText(ctx, r, there)
	if err != nil {
		return !open(err), err
	}
	if result.Text != Created {
		result.Text = text
	}
	for _, l := range r.Links {
		outcome, err := c.ensureLink(ctx, r.Tag, l, there.Assets.Links)
		if err != nil {
			// 400: somebody made a link of this name or address since the look.
			return !open(err) && status(err) != http.StatusBadRequest, err
		}
		if result.Links[l.Name] != Created {
			result.Links[l.Name] = outcome
		}
	}
	return true, nil
}

// lookText tells what is to happen with name, notes and milestones: they are
// replaced if they are ours.
func (r Release) lookText(there *api.Release) Outcome {
	switch {
	case there.Name == r.Name && normal(there.Description) == normal(seal(r.Name, r.Notes)) && hasMilestones(there, r.Milestones):
		return Found
	case untouched(there.Name, there.Description):
		return Updated
	default:
		return Kept
	}
}

func (c *Client) completeText(ctx context.Context, r Release, there *api.Release) (Outcome, error) {
	outcome := r.lookText(there)
	if outcome != Updated {
		return outcome, nil
	}
	sealed := seal(r.Name, r.Notes)
	o := &api.UpdateReleaseOptions{Name: &r.Name, Description: &sealed}
	if len(r.Milestones) > 0 {
		o.Milestones = &r.Milestones
	}
	_, _, err := c.api.Releases.UpdateRelease(c.project, r.Tag, o, api.WithContext(ctx))
	return outcome, hinted(c.failed("update release "+r.Tag, err), c.hintRelease())
}

func hasMilestones(there *api.Release, want []string) bool {
	for _, title := range want {
		if !slices.ContainsFunc(there.Milestones, func(m *api.ReleaseMilestone) bool { return m.Title == title }) {
			return false
		}
	}
	return true
}
