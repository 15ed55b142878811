package gitlabtest

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

func (c *call) listReleases() {
	releases := slices.Clone(c.project.Releases)
	slices.Reverse(releases)
	page(c, releases, c.showRelease)
}

func (c *call) getRelease() {
	r := c.project.release(c.segment["tag_name"])
	if r == nil {
		c.fail("release_none")
		return
	}
	c.answer(http.StatusOK, c.showRelease(r))
}

// postRelease keeps the order of checks of app/services/releases/create_service.rb:
// role, protected tag, existing release, milestones, tag, links. The role was
// checked with the route.
func (c *call) postRelease() {
	if !c.need("tag_name") {
		return
	}
	p, name := c.project, c.str("tag_name")
	if !p.mayCreateTag(c.user, name) {
		c.fail("release_protected")
		return
	}
	if p.release(name) != nil {
		c.fail("release_exists")
		return
	}
	milestones := c.texts("milestones")
	if unknown := p.unknownMilestones(milestones); unknown != "" {
		c.fail("release_milestone", unknown)
		return
	}
	tag := c.ensureTag(name)
	if tag == nil {
		return
	}
	links := c.linksOf()
	if twice := duplicate(links); twice != "" {
		c.write = true // the tag stays
		c.fail("release_links", twice)
		return
	}
	now := c.d.state.tick()
	r := &release{
		Tag: name, Commit: tag.Commit, Name: c.str("name"), Description: c.str("description"), Author: c.user.Username,
		CreatedAt: now, ReleasedAt: now, Milestones: milestones, Links: links,
	}
	if at, err := time.Parse(time.RFC3339, c.str("released_at")); err == nil {
		r.ReleasedAt = at
	}
	p.Releases = append(p.Releases, r)
	c.changed(http.StatusCreated, c.showRelease(r))
}

// ensureTag returns the tag that exists, whatever it points at, or makes it
// from ref; nil after an answer.
func (c *call) ensureTag(name string) *gitTag {
	if tag := c.project.tag(name); tag != nil {
		return tag
	}
	ref := c.str("ref")
	if ref == "" {
		c.fail("release_no_ref")
		return nil
	}
	commit := c.project.resolve(ref)
	switch {
	case !validTag(name):
		c.fail("release_tag_name")
		return nil
	case commit == "":
		c.fail("release_target", ref)
		return nil
	}
	if c.inside != nil {
		c.inside()
	}
	if c.project.createTag(name, commit, c.str("tag_message"), c.user.Username) != nil {
		c.fail("release_tag_raced", name)
		return nil
	}
	return c.project.tag(name)
}

func (p *Project) unknownMilestones(titles []string) string {
	var unknown []string
	for _, title := range titles {
		if !slices.Contains(p.Milestones, title) {
			unknown = append(unknown, title)
		}
	}
	return strings.Join(unknown, ", ")
}

// texts returns a list parameter: a JSON list, or a text with commas.
func (c *call) texts(name string) []string {
	var texts []string
	switch v := c.params[name].(type) {
	case []any:
		for _, item := range v {
			if s, ok := item.(string); ok {
				texts = append(texts, s)
			}
		}
	case string:
		if v != "" {
			texts = strings.Split(v, ",")
		}
	}
	return texts
}

// linksOf reads assets.links of the body.
func (c *call) linksOf() []*link {
	var assets struct {
		Links []struct {
			Name     string `json:"name"`
			URL      string `json:"url"`
			Path     string `json:"direct_asset_path"`
			FilePath string `json:"filepath"`
			Type     string `json:"link_type"`
		} `json:"links"`
	}
	if data, err := json.Marshal(c.params["assets"]); err == nil {
		_ = json.Unmarshal(data, &assets) // another shape has no links
	}
	var links []*link
	for _, l := range assets.Links {
		links = append(links, &link{ID: c.d.state.id(), Name: l.Name, URL: l.URL, Path: l.Path + l.FilePath, Type: linkType(l.Type)})
	}
	return links
}

func linkType(s string) string {
	if s == "" {
		return "other"
	}
	return s
}

// duplicate returns a name, address or path that two links share.
func duplicate(links []*link) string {
	seen := map[string]bool{}
	for _, l := range links {
		for _, value := range []string{"n" + l.Name, "u" + l.URL, "p" + l.Path} {
			if value != "p" && seen[value] {
				return value[1:]
			}
			seen[value] = true
		}
	}
	return ""
}

func (c *call) putRelease() {
	r := c.project.release(c.segment["tag_name"])
	if r == nil {
		c.fail("release_update_none")
		return
	}
	milestones, given := c.texts("milestones"), c.params["milestones"] != nil
	if unknown := c.project.unknownMilestones(milestones); unknown != "" {
		c.fail("release_update_milestone", unknown)
		return
	}
	if _, ok := c.params["name"].(string); ok {
		r.Name = c.str("name")
	}
	if _, ok := c.params["description"].(string); ok {
		r.Description = c.str("description")
	}
	if given {
		r.Milestones = milestones
	}
	c.d.state.tick()
	c.changed(http.StatusOK, c.showRelease(r))
}

func (c *call) deleteRelease() {
	r := c.project.release(c.segment["tag_name"])
	if r == nil {
		c.fail("release_delete_none")
		return
	}
	shown := c.showRelease(r)
	c.project.Releases = slices.DeleteFunc(c.project.Releases, func(o *release) bool { return o == r })
	c.changed(http.StatusOK, shown)
}

func (c *call) releaseOfLinks() *release {
	r := c.project.release(c.segment["tag_name"])
	if r == nil {
		c.fail("link_release")
	}
	return r
}

func (c *call) listLinks() {
	if r := c.releaseOfLinks(); r != nil {
		page(c, sortedLinks(r), func(l *link) object { return c.showLink(r, l) })
	}
}

func (c *call) theLink() (*release, *link) {
	r := c.releaseOfLinks()
	if r == nil {
		return nil, nil
	}
	for _, l := range r.Links {
		if l.ID == c.number("link_id") {
			return r, l
		}
	}
	c.fail("link_none")
	return r, nil
}

func (c *call) getLink() {
	if r, l := c.theLink(); l != nil {
		c.answer(http.StatusOK, c.showLink(r, l))
	}
}

func (c *call) postLink() {
	r := c.releaseOfLinks()
	if r == nil || !c.need("name", "url") {
		return
	}
	l := &link{Name: c.str("name"), URL: c.str("url"), Path: c.str("direct_asset_path") + c.str("filepath"), Type: linkType(c.str("link_type"))}
	if !c.linkFits(r, l, 0) {
		return
	}
	l.ID = c.d.state.id()
	r.Links = append(r.Links, l)
	c.changed(http.StatusCreated, c.showLink(r, l))
}

func (c *call) putLink() {
	r, l := c.theLink()
	if l == nil {
		return
	}
	if c.str("name") == "" && c.str("url") == "" {
		c.fail("link_empty")
		return
	}
	edited := *l
	for param, field := range map[string]*string{"name": &edited.Name, "url": &edited.URL, "direct_asset_path": &edited.Path, "link_type": &edited.Type} {
		if v := c.str(param); v != "" {
			*field = v
		}
	}
	if !c.linkFits(r, &edited, l.ID) {
		return
	}
	*l = edited
	c.changed(http.StatusOK, c.showLink(r, l))
}

func (c *call) deleteLink() {
	r, l := c.theLink()
	if l == nil {
		return
	}
	r.Links = slices.DeleteFunc(r.Links, func(o *link) bool { return o == l })
	c.changed(http.StatusOK, c.showLink(r, l))
}

// linkFits checks a link against the others of its release.
func (c *call) linkFits(r *release, l *link, self int64) bool {
	if !slices.Contains([]string{"other", "runbook", "image", "package"}, l.Type) {
		c.fail("link_type")
		return false
	}
	// FILEPATH_REGEX of app/models/releases/link.rb, in Go's syntax.
	if l.Path != "" && !regexp.MustCompile(`^/([-.\w]+/?)*[\da-zA-Z]+$`).MatchString(l.Path) {
		c.fail("link_path")
		return false
	}
	for _, o := range r.Links {
		switch {
		case o.ID == self:
		case o.Name == l.Name:
			c.fail("link_taken", "Name")
			return false
		case o.URL == l.URL:
			c.fail("link_taken", "Url")
			return false
		case o.Path != "" && o.Path == l.Path:
			c.fail("link_taken", "Filepath")
			return false
		}
	}
	return true
}
