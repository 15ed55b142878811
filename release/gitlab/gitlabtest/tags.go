package gitlabtest

import (
	"net/http"
	"slices"
	"strings"
)

func (c *call) listTags() {
	tags := c.project.tags("")
	if search := c.str("search"); search != "" {
		tags = slices.DeleteFunc(tags, func(t gitTag) bool { return !searched(search, t.Name) })
	}
	if c.str("sort") != "asc" {
		slices.Reverse(tags)
	}
	page(c, tags, c.showTag)
}

// searched is GitLab's search of tags: ^ and $ anchor, anything else is a part
// of the name, case does not matter. Source: doc/api/tags.md.
func searched(search, name string) bool {
	name = strings.ToLower(name)
	want, begins := strings.CutPrefix(strings.ToLower(search), "^")
	want, ends := strings.CutSuffix(want, "$")
	switch {
	case begins && ends:
		return name == want
	case begins:
		return strings.HasPrefix(name, want)
	case ends:
		return strings.HasSuffix(name, want)
	default:
		return strings.Contains(name, want)
	}
}

func (c *call) getTag() {
	t := c.project.tag(c.segment["tag_name"])
	if t == nil {
		c.fail("tag_none")
		return
	}
	c.answer(http.StatusOK, c.showTag(*t))
}

func (c *call) postTag() {
	if !c.need("tag_name", "ref") {
		return
	}
	name := c.str("tag_name")
	commit := c.project.resolve(c.str("ref"))
	switch {
	case !validTag(name):
		c.fail("tag_name")
	case c.project.tag(name) != nil:
		c.fail("tag_exists", name)
	case commit == "":
		c.fail("tag_target", c.str("ref"))
	case !c.project.mayCreateTag(c.user, name):
		c.fail("tag_protected")
	case c.project.createTag(name, commit, c.str("message"), c.user.Username) != nil:
		c.fail("tag_exists", name)
	default:
		c.changed(http.StatusCreated, c.showTag(*c.project.tag(name)))
	}
}

func (c *call) deleteTag() {
	name := c.segment["tag_name"]
	if c.project.tag(name) == nil {
		c.fail("tag_none")
		return
	}
	if err := c.project.DeleteTag(name); err != nil {
		panic(err)
	}
	c.changed(http.StatusNoContent, nil)
}

// validTag is the part of git-check-ref-format(1) that matters here.
func validTag(name string) bool {
	return name != "" && !strings.ContainsAny(name, " ~^:?*[\\\x7f") && !strings.Contains(name, "..") &&
		!strings.HasPrefix(name, "-") && !strings.HasPrefix(name, "/") && !strings.HasSuffix(name, "/") &&
		!strings.HasSuffix(name, ".lock") && !strings.HasSuffix(name, ".") && !strings.Contains(name, "//")
}

func (c *call) getCommit() {
	id := c.project.resolve(c.segment["sha"])
	if id == "" {
		c.fail("commit_none")
		return
	}
	o := c.showCommit(id)
	o["stats"] = object{"additions": 1, "deletions": 0, "total": 1}
	o["status"], o["project_id"], o["last_pipeline"] = nil, c.project.ID, nil
	c.answer(http.StatusOK, o)
}
