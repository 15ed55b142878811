package gitlabtest

import (
	"net/url"
	"strings"
)

// route is one endpoint and who may use it: GitLab's table of rights as data.
type route struct {
	method, pattern string
	job             bool // made for job tokens (doc/ci/jobs/fine_grained_permissions.md)
	least           Role // the role that it takes; NoAccess: whoever sees the project
	code            bool // shows code: Reporter in a private project
	any             bool // works with every scope
	serve           func(*call)
}

func routes() []route {
	const (
		p  = "/projects/:id"
		r  = p + "/releases/:tag_name"
		l  = r + "/assets/links"
		mr = p + "/merge_requests/:merge_request_iid"
		n  = p + "/merge_requests/:noteable_id/notes"
		g  = p + "/packages/generic/:package_name/:package_version/:file_name"
		f  = p + "/packages/:package_id/package_files"
		d  = p + "/deployments"
	)
	return []route{
		{method: "GET", pattern: "/version", serve: (*call).getVersion},
		{method: "GET", pattern: "/user", serve: (*call).getUser},
		{method: "GET", pattern: "/job", job: true, serve: (*call).getJob},
		{method: "GET", pattern: "/personal_access_tokens/self", any: true, serve: (*call).getSelf},
		{method: "GET", pattern: p, serve: (*call).getProject},
		{method: "GET", pattern: p + "/members/all/:user_id", serve: (*call).getMember},
		{method: "GET", pattern: p + "/protected_branches", least: Maintainer, serve: (*call).listProtectedBranches},
		{method: "GET", pattern: p + "/protected_tags", least: Maintainer, serve: (*call).listProtectedTags},
		{method: "GET", pattern: p + "/protected_tags/:name", least: Maintainer, serve: (*call).getProtectedTag},

		{method: "GET", pattern: p + "/repository/tags", job: true, code: true, serve: (*call).listTags},
		{method: "GET", pattern: p + "/repository/tags/:tag_name", job: true, code: true, serve: (*call).getTag},
		{method: "POST", pattern: p + "/repository/tags", least: Developer, serve: (*call).postTag},
		{method: "DELETE", pattern: p + "/repository/tags/:tag_name", least: Maintainer, serve: (*call).deleteTag},
		{method: "GET", pattern: p + "/repository/commits/:sha", code: true, serve: (*call).getCommit},
		{method: "GET", pattern: p + "/repository/commits/:sha/merge_requests", code: true, serve: (*call).listCommitRequests},

		{method: "GET", pattern: p + "/releases", job: true, serve: (*call).listReleases},
		{method: "POST", pattern: p + "/releases", job: true, least: Developer, serve: (*call).postRelease},
		{method: "GET", pattern: r, job: true, code: true, serve: (*call).getRelease},
		{method: "PUT", pattern: r, job: true, least: Developer, serve: (*call).putRelease},
		{method: "DELETE", pattern: r, job: true, least: Maintainer, serve: (*call).deleteRelease},
		{method: "GET", pattern: l, job: true, serve: (*call).listLinks},
		{method: "POST", pattern: l, job: true, least: Developer, serve: (*call).postLink},
		{method: "GET", pattern: l + "/:link_id", job: true, serve: (*call).getLink},
		{method: "PUT", pattern: l + "/:link_id", job: true, least: Developer, serve: (*call).putLink},
		{method: "DELETE", pattern: l + "/:link_id", job: true, least: Developer, serve: (*call).deleteLink},

		{method: "PUT", pattern: g, job: true, least: Developer, serve: (*call).putGeneric},
		{method: "GET", pattern: g, job: true, least: Reporter, serve: (*call).getGeneric},
		{method: "HEAD", pattern: g, job: true, least: Reporter, serve: (*call).getGeneric},
		{method: "GET", pattern: p + "/packages", job: true, least: Reporter, serve: (*call).listPackages},
		{method: "GET", pattern: f, job: true, least: Reporter, serve: (*call).listPackageFiles},
		{method: "DELETE", pattern: f + "/:package_file_id", job: true, least: Maintainer, serve: (*call).deletePackageFile},

		{method: "GET", pattern: p + "/merge_requests", job: true, code: true, serve: (*call).listRequests},
		{method: "POST", pattern: p + "/merge_requests", least: Developer, serve: (*call).postRequest},
		{method: "GET", pattern: mr, job: true, code: true, serve: (*call).getRequest},
		{method: "PUT", pattern: mr, least: Developer, serve: (*call).putRequest},
		{method: "GET", pattern: mr + "/commits", code: true, serve: (*call).listRequestCommits},
		{method: "GET", pattern: mr + "/versions", code: true, serve: (*call).listVersions},
		{method: "PUT", pattern: mr + "/merge", serve: (*call).putMerge},
		{method: "GET", pattern: mr + "/approvals", code: true, serve: (*call).getApprovals},
		{method: "POST", pattern: mr + "/approve", serve: (*call).postApprove},
		{method: "POST", pattern: mr + "/unapprove", serve: (*call).postUnapprove},
		{method: "GET", pattern: n, job: true, code: true, serve: (*call).listNotes},
		{method: "POST", pattern: n, least: Guest, serve: (*call).postNote},
		{method: "GET", pattern: n + "/:note_id", job: true, code: true, serve: (*call).getNote},
		{method: "PUT", pattern: n + "/:note_id", least: Guest, serve: (*call).putNote},
		{method: "DELETE", pattern: n + "/:note_id", least: Guest, serve: (*call).deleteNote},

		{method: "GET", pattern: p + "/jobs/artifacts/:ref_name/raw/*artifact_path", job: true, code: true, serve: (*call).getJobFile},

		{method: "GET", pattern: d, job: true, code: true, serve: (*call).listDeployments},
		{method: "POST", pattern: d, job: true, least: Developer, serve: (*call).postDeployment},
		{method: "GET", pattern: d + "/:deployment_id", job: true, code: true, serve: (*call).getDeployment},
		{method: "PUT", pattern: d + "/:deployment_id", job: true, least: Developer, serve: (*call).putDeployment},
		{method: "GET", pattern: p + "/environments", job: true, code: true, serve: (*call).listEnvironments},
		{method: "PUT", pattern: p + "/environments/:environment_id", job: true, least: Developer, serve: (*call).putEnvironment},
	}
}

// find returns the route of a request and the values of its segments. It works
// on the escaped path and unescapes each segment alone, as GitLab does: a %2F
// belongs to the name.
func (d *Double) find(method, escaped string) (route, map[string]string, bool) {
	for _, r := range d.routes {
		if r.method != method {
			continue
		}
		if values, ok := match(r.pattern, escaped); ok {
			return r, values, true
		}
	}
	return route{}, nil, false
}

// match takes a pattern apart: a segment that begins with * is the last one, and
// is all of the rest.
func match(pattern, escaped string) (map[string]string, bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(escaped, "/")
	values := map[string]string{}
	if last := len(want) - 1; strings.HasPrefix(want[last], "*") && len(got) > last {
		rest, err := url.PathUnescape(strings.Join(got[last:], "/"))
		if err != nil {
			return nil, false
		}
		values[want[last][1:]] = rest
		want, got = want[:last], got[:last]
	}
	if len(want) != len(got) {
		return nil, false
	}
	for i, segment := range want {
		name, variable := strings.CutPrefix(segment, ":")
		value, err := url.PathUnescape(got[i])
		if err != nil || (!variable && value != segment) || (variable && value == "") {
			return nil, false
		}
		if variable {
			values[name] = value
		}
	}
	return values, true
}
