package gitlabtest

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
)

// Dump is all that a client can have changed, as canonical JSON: sorted,
// without ids and times, which differ between two histories with the same
// outcome. Equal bytes mean equal references of git, releases with their
// links, packages with every file, merge requests, approvals, notes and
// deployments.
func (d *Double) Dump() ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	projects := map[string]object{}
	for _, p := range d.state.Projects {
		refs, err := p.Refs()
		if err != nil {
			return nil, err
		}
		projects[p.Path] = object{
			"refs": strings.Split(refs, "\n"), "releases": p.dumpReleases(), "packages": p.dumpPackages(), "merge_requests": p.dumpRequests(),
			"deployments": p.dumpDeployments(),
		}
	}
	return json.MarshalIndent(projects, "", "  ")
}

func (p *Project) dumpReleases() []object {
	releases := slices.SortedFunc(slices.Values(p.Releases), func(a, b *release) int { return cmp.Compare(a.Tag, b.Tag) })
	list := []object{}
	for _, r := range releases {
		links := slices.SortedFunc(slices.Values(r.Links), func(a, b *link) int { return cmp.Compare(a.Name, b.Name) })
		shown := []object{}
		for _, l := range links {
			shown = append(shown, object{"name": l.Name, "url": strings.TrimPrefix(l.URL, p.home.URL), "path": l.Path, "type": l.Type})
		}
		list = append(list, object{
			"tag": r.Tag, "commit": r.Commit, "name": r.Name, "description": r.Description, "author": r.Author,
			"milestones": r.Milestones, "links": shown,
		})
	}
	return list
}

func (p *Project) dumpPackages() []object {
	list := []object{}
	for _, k := range p.Packages {
		for _, f := range k.Files {
			list = append(list, object{"package": k.Name, "version": k.Version, "file": f.Name, "sha256": f.SHA256, "size": f.Size})
		}
	}
	key := func(o object) string {
		return strings.Join([]string{o["package"].(string), o["version"].(string), o["file"].(string), o["sha256"].(string)}, "\x00")
	}
	slices.SortFunc(list, func(a, b object) int { return cmp.Compare(key(a), key(b)) })
	return list
}

func (p *Project) dumpRequests() []object {
	list := []object{}
	for _, m := range p.Requests {
		var approvers, notes []string
		for _, a := range m.Approvals {
			approvers = append(approvers, a.User)
		}
		for _, n := range m.Notes {
			notes = append(notes, n.Body)
		}
		list = append(list, object{
			"iid": m.IID, "title": m.Title, "state": m.State, "author": m.Author, "source": m.Source, "target": m.Target,
			"merge_commit": m.MergeCommit, "approvers": approvers, "notes": notes, "description": m.Description, "labels": m.Labels,
		})
	}
	return list
}
