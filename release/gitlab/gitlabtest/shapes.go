package gitlabtest

import (
	"cmp"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
)

// The JSON shapes follow lib/api/entities; keys that no client of ours reads
// are kept where the official client's types have them.

func (c *call) showUser(name string) object {
	u := c.d.state.user(name)
	if u == nil {
		return nil
	}
	return object{
		"id": u.ID, "username": u.Username, "name": u.Name, "state": "active", "locked": false,
		"avatar_url": c.d.URL + "/uploads/" + u.Username + ".png", "web_url": c.d.URL + "/" + u.Username,
	}
}

func (c *call) web(parts ...string) string {
	return c.d.URL + "/" + c.project.Path + "/-/" + strings.Join(parts, "/")
}

func (c *call) showCommit(id string) object {
	i, err := c.project.commit(id)
	if err != nil {
		return nil
	}
	return object{
		"id": i.ID, "short_id": i.ID[:8], "title": i.Subject, "message": i.Message + "\n", "parent_ids": append([]string{}, i.Parents...),
		"author_name": i.Author, "author_email": i.AuthorEmail, "authored_date": stamp(i.Authored),
		"committer_name": i.Committer, "committer_email": i.CommitterEmail, "committed_date": stamp(i.Committed),
		"created_at": stamp(i.Committed), "trailers": object{}, "extended_trailers": object{}, "web_url": c.web("commit", i.ID),
	}
}

func (c *call) showTag(t gitTag) object {
	o := object{
		"name": t.Name, "target": t.Target, "message": t.Message, "commit": c.showCommit(t.Commit), "release": nil,
		"protected": slices.ContainsFunc(c.project.ProtectedTags, func(r ProtectedTag) bool { return wildcard(r.Pattern, t.Name) }),
	}
	if t.Target != t.Commit {
		o["created_at"] = o["commit"].(object)["created_at"]
	} else {
		o["created_at"] = nil
	}
	if r := c.project.release(t.Name); r != nil {
		o["release"] = object{"tag_name": r.Tag, "description": r.Description}
	}
	return o
}

func (c *call) showRelease(r *release) object {
	links := []object{}
	for _, l := range sortedLinks(r) {
		links = append(links, c.showLink(r, l))
	}
	tag := url.PathEscape(r.Tag)
	name, base := cmp.Or(r.Name, r.Tag), path.Base(c.project.Path)
	var sources []object
	for _, format := range []string{"zip", "tar.gz", "tar.bz2", "tar"} {
		sources = append(sources, object{"format": format, "url": c.web("archive", tag, base+"-"+tag+"."+format)})
	}
	o := object{
		"name": name, "tag_name": r.Tag, "description": r.Description, "created_at": stamp(r.CreatedAt), "released_at": stamp(r.ReleasedAt),
		"author": c.showUser(r.Author), "commit": c.showCommit(r.Commit), "upcoming_release": r.ReleasedAt.After(c.d.state.Clock),
		"commit_path": "/" + c.project.Path + "/-/commit/" + r.Commit, "tag_path": "/" + c.project.Path + "/-/tags/" + tag,
		"assets":    object{"count": len(links) + len(sources), "sources": sources, "links": links},
		"evidences": []object{},
		"_links":    object{"self": c.web("releases", tag), "edit_url": c.web("releases", tag, "edit")},
	}
	if len(r.Milestones) > 0 {
		var milestones []object
		for i, title := range r.Milestones {
			milestones = append(milestones, object{"id": i + 1, "iid": i + 1, "project_id": c.project.ID, "title": title, "state": "active"})
		}
		o["milestones"] = milestones
	}
	return o
}

// sortedLinks has the newest first (scope sorted of app/models/releases/link.rb).
func sortedLinks(r *release) []*link {
	links := slices.Clone(r.Links)
	slices.SortStableFunc(links, func(a, b *link) int { return cmp.Compare(b.ID, a.ID) })
	return links
}

func (c *call) showLink(r *release, l *link) object {
	direct := l.URL
	if l.Path != "" {
		direct = c.web("releases", url.PathEscape(r.Tag), "downloads") + l.Path
	}
	return object{"id": l.ID, "name": l.Name, "url": l.URL, "direct_asset_url": direct, "link_type": l.Type}
}

func (c *call) showPackage(k *pkg) object {
	return object{
		"id": k.ID, "name": k.Name, "version": k.Version, "package_type": "generic", "status": "default", "tags": []string{},
		"_links": object{"web_path": fmt.Sprintf("/%s/-/packages/%d", c.project.Path, k.ID)}, "created_at": stamp(k.CreatedAt), "pipelines": []object{},
	}
}

func (c *call) showFile(k *pkg, f *pkgFile) object {
	return object{
		"id": f.ID, "package_id": k.ID, "created_at": stamp(f.CreatedAt), "file_name": f.Name, "size": f.Size,
		"file_md5": nil, "file_sha1": nil, "file_sha256": f.SHA256, "pipelines": []object{},
	}
}

func (c *call) showProtected(t ProtectedTag) object {
	levels := []object{}
	for i, role := range t.Levels {
		levels = append(levels, object{"id": i + 1, "access_level": role, "access_level_description": roleName(role), "deploy_key_id": nil, "user_id": nil, "group_id": nil})
	}
	for i, name := range t.Users {
		u := c.d.state.user(name)
		levels = append(levels, object{
			"id": len(t.Levels) + i + 1, "access_level": Maintainer, "access_level_description": u.Name,
			"deploy_key_id": nil, "user_id": u.ID, "group_id": nil,
		})
	}
	return object{"name": t.Pattern, "create_access_levels": levels}
}

func roleName(r Role) string {
	switch r {
	case NoAccess:
		return "No one"
	case Developer:
		return "Developers + Maintainers"
	default:
		return "Maintainers"
	}
}
