package gitlabtest_test

import (
	"fmt"
	"strings"

	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

// scenarios provoke each row of testdata/errors.yaml and return the answer.
func scenarios() map[string]func(*world) (int, m) {
	const (
		p = "/projects/g%2Fp"
		g = p + "/packages/generic/app/1.0.0/f"
		r = p + "/releases"
	)
	post := func(w *world, body m) (int, m) { return w.send("POST", r, body) }
	get := func(path string) func(*world) (int, m) {
		return func(w *world) (int, m) { return w.send("GET", path, nil) }
	}
	return map[string]func(*world) (int, m){
		"token_unknown": func(w *world) (int, m) { w.token = "none"; return w.send("GET", p, nil) },
		"token_revoked": func(w *world) (int, m) { w.Revoke(w.token); return w.send("GET", p, nil) },
		"job_over": func(w *world) (int, m) {
			w.job(w.p.JobToken("maria"))
			w.Revoke(w.token)
			return w.send("GET", "/job", nil)
		},
		"scope": func(w *world) (int, m) {
			w.token = w.AccessToken("maria", "read_api")
			return post(w, m{"tag_name": "v1", "ref": "main"})
		},
		"project":         get("/projects/g%2Fnone"),
		"job_token_route": func(w *world) (int, m) { w.job(w.p.JobToken("maria")); return w.send("GET", p, nil) },
		"allowlist": func(w *world) (int, m) {
			w.job(w.MustProject("other/p").JobToken("maria"))
			return w.send("GET", r, nil)
		},
		"anonymous": func(w *world) (int, m) { w.token = ""; return w.send("GET", "/user", nil) },
		"role": func(w *world) (int, m) {
			w.member(gitlabtest.Developer)
			return w.send("GET", p+"/protected_tags", nil)
		},
		"archived": func(w *world) (int, m) {
			w.p.Set(func(s *gitlabtest.Settings) { s.Archived = true })
			return post(w, m{"tag_name": "v1", "ref": "main"})
		},
		"unknown_route": func(w *world) (int, m) { return w.send("GET", p+"/snippets", nil) },
		"missing":       func(w *world) (int, m) { return w.send("POST", r, wrong(`{}`)) },

		"release_access": func(w *world) (int, m) {
			w.member(gitlabtest.Reporter)
			return post(w, m{"tag_name": "v1", "ref": "main"})
		},
		"release_protected": func(w *world) (int, m) {
			w.release()
			w.p.Protect(gitlabtest.ProtectedTag{Pattern: "v*"})
			return post(w, m{"tag_name": "v1"})
		},
		"release_exists": func(w *world) (int, m) {
			w.release()
			return post(w, m{"tag_name": "v1", "milestones": []string{"none"}})
		},
		"release_milestone": func(w *world) (int, m) { return post(w, m{"tag_name": "v1", "milestones": []string{"none"}}) },
		"release_no_ref":    func(w *world) (int, m) { return post(w, m{"tag_name": "v1"}) },
		"release_target":    func(w *world) (int, m) { return post(w, m{"tag_name": "v1", "ref": "none"}) },
		"release_tag_name":  func(w *world) (int, m) { return post(w, m{"tag_name": "v 1", "ref": "main"}) },
		"release_tag_raced": func(w *world) (int, m) {
			w.Fault(gitlabtest.Fault{On: "POST /projects/:id/releases", Inside: func() { _ = w.p.CreateTag("v1", "main", "") }})
			return post(w, m{"tag_name": "v1", "ref": "main"})
		},
		"release_links": func(w *world) (int, m) {
			links := []m{{"name": "a", "url": "https://x/1"}, {"name": "a", "url": "https://x/2"}}
			status, answer := post(w, m{"tag_name": "v1", "ref": "main", "assets": m{"links": links}})
			if refs, _ := w.p.Refs(); !strings.Contains(refs, "refs/tags/v1") {
				w.t.Error("the tag did not stay")
			}
			return status, answer
		},
		"releases_off": func(w *world) (int, m) {
			w.p.Set(func(s *gitlabtest.Settings) { s.NoReleases = true })
			return w.send("GET", r, nil)
		},
		"release_none":        get(r + "/v1"),
		"release_update_none": func(w *world) (int, m) { return w.send("PUT", r+"/v1", m{"name": "x"}) },
		"release_update_milestone": func(w *world) (int, m) {
			w.release()
			return w.send("PUT", r+"/v1", m{"milestones": []string{"none"}})
		},
		"release_delete_none": func(w *world) (int, m) { return w.send("DELETE", r+"/v1", nil) },

		"link_release": get(r + "/v1/assets/links"),
		"link_none":    func(w *world) (int, m) { w.release(); return w.send("PUT", r+"/v1/assets/links/9", m{"name": "x"}) },
		"link_empty":   func(w *world) (int, m) { return w.send("PUT", w.link(), m{"link_type": "image"}) },
		"link_taken": func(w *world) (int, m) {
			w.link()
			return w.send("POST", r+"/v1/assets/links", m{"name": "a", "url": "https://x/b"})
		},
		"link_type": func(w *world) (int, m) {
			w.release()
			return w.send("POST", r+"/v1/assets/links", wrong(`{"name":"a","url":"https://x/b","link_type":"chart"}`))
		},
		"link_path": func(w *world) (int, m) {
			w.release()
			return w.send("POST", r+"/v1/assets/links", m{"name": "a", "url": "https://x/b", "direct_asset_path": "b"})
		},

		"tag_none": get(p + "/repository/tags/v1"),
		"tag_exists": func(w *world) (int, m) {
			w.release()
			return w.send("POST", p+"/repository/tags", m{"tag_name": "v1", "ref": "main"})
		},
		"tag_name": func(w *world) (int, m) {
			return w.send("POST", p+"/repository/tags", m{"tag_name": "v..1", "ref": "main"})
		},
		"tag_target": func(w *world) (int, m) {
			return w.send("POST", p+"/repository/tags", m{"tag_name": "v1", "ref": "none"})
		},
		"tag_protected": func(w *world) (int, m) {
			w.p.Protect(gitlabtest.ProtectedTag{Pattern: "v*"})
			return w.send("POST", p+"/repository/tags", m{"tag_name": "v1", "ref": "main"})
		},
		"protected_none": get(p + "/protected_tags/v%2A"),

		"package_name": func(w *world) (int, m) { return w.send("PUT", p+"/packages/generic/app/1.0.0/a%20b", "x") },
		"package_duplicate": func(w *world) (int, m) {
			w.p.Set(func(s *gitlabtest.Settings) { s.NoDuplicatePackages = true })
			w.p.Upload("app", "1.0.0", "f", "x")
			return w.send("PUT", g, "x")
		},
		"package_size": func(w *world) (int, m) {
			w.p.Set(func(s *gitlabtest.Settings) { s.MaxPackageFile = 1 })
			return w.send("PUT", g, "xx")
		},
		"package_protected": func(w *world) (int, m) {
			w.p.ProtectPackages("app")
			w.member(gitlabtest.Developer)
			return w.send("PUT", g, "x")
		},
		"package_none": get(g),
		"package_id":   get(p + "/packages/9/package_files"),
		"package_file_id": func(w *world) (int, m) {
			status, answer := w.send("PUT", g+"?select=package_file", "x")
			if status != 201 {
				return status, answer
			}
			return w.send("DELETE", fmt.Sprintf("%s/packages/%v/package_files/9", p, answer["package_id"]), nil)
		},
		"packages_off": func(w *world) (int, m) {
			w.p.Set(func(s *gitlabtest.Settings) { s.NoPackages = true })
			return w.send("GET", p+"/packages", nil)
		},

		"commit_none":  get(p + "/repository/commits/" + strings.Repeat("0", 40)),
		"request_none": get(p + "/merge_requests/9"),
		"request_exists": func(w *world) (int, m) {
			w.request()
			return w.send("POST", p+"/merge_requests", m{"title": "x", "source_branch": "topic", "target_branch": "main"})
		},
		"request_branch": func(w *world) (int, m) {
			return w.send("POST", p+"/merge_requests", m{"title": "x", "source_branch": "none", "target_branch": "main"})
		},
		"merge_access": func(w *world) (int, m) {
			w.request()
			w.member(gitlabtest.Reporter)
			return w.send("PUT", p+"/merge_requests/1/merge", nil)
		},
		"merge_not_now": func(w *world) (int, m) {
			w.p.Checking(w.request(), 1)
			return w.send("PUT", p+"/merge_requests/1/merge", nil)
		},
		"merge_conflict": func(w *world) (int, m) {
			w.request()
			if _, err := w.p.Commit("main", "bert", "fix: the same", map[string]string{"t": "2"}); err != nil {
				w.t.Fatal(err)
			}
			return w.send("PUT", p+"/merge_requests/1/merge", nil)
		},
		"merge_sha": func(w *world) (int, m) {
			w.request()
			return w.send("PUT", p+"/merge_requests/1/merge", m{"sha": w.head})
		},
		"approve_own": func(w *world) (int, m) {
			w.p.Approve(w.request(), "maria")
			return w.send("POST", p+"/merge_requests/1/approve", nil)
		},
		"approve_sha": func(w *world) (int, m) {
			w.request()
			return w.send("POST", p+"/merge_requests/1/approve", m{"sha": w.head})
		},
		"unapprove_none": func(w *world) (int, m) { w.request(); return w.send("POST", p+"/merge_requests/1/unapprove", nil) },
		"job_file_none": func(w *world) (int, m) {
			return w.send("GET", "/projects/g%2Fp/jobs/artifacts/main/raw/.pipeline/reports/figures.json?job=report", nil)
		},
		"note_none": func(w *world) (int, m) {
			w.request()
			return w.send("PUT", p+"/merge_requests/1/notes/9", m{"body": "x"})
		},
		"note_foreign": func(w *world) (int, m) {
			w.request()
			_, answer := w.send("POST", p+"/merge_requests/1/notes", m{"body": "x"})
			w.member(gitlabtest.Developer)
			return w.send("PUT", fmt.Sprintf("%s/merge_requests/1/notes/%v", p, answer["id"]), m{"body": "y"})
		},
		"request_target": func(w *world) (int, m) {
			w.request()
			if _, err := w.p.Commit("other", "anna", "feat: other", map[string]string{"o": "1"}); err != nil {
				w.t.Fatal(err)
			}
			w.p.Request("anna", "topic", "topic", "other")
			return w.send("PUT", p+"/merge_requests/2", m{"target_branch": "main"})
		},
		"deployment_invalid": func(w *world) (int, m) { return w.deploy(strings.Repeat("0", 40), "success") },
		"deployment_status": func(w *world) (int, m) {
			return w.send("POST", p+"/deployments", wrong(`{"environment":"e","sha":"x","ref":"main","tag":false,"status":"created"}`))
		},
		"deployment_none": get(p + "/deployments/9"),
		"deployment_transition": func(w *world) (int, m) {
			_, answer := w.deploy(w.head, "success")
			return w.send("PUT", fmt.Sprintf("%s/deployments/%v", p, answer["id"]), m{"status": "failed"})
		},
		"environment_none": func(w *world) (int, m) {
			return w.send("PUT", p+"/environments/9", m{"external_url": "https://x"})
		},
		"member_none": get(p + "/members/all/9"),
		"self_kind": func(w *world) (int, m) {
			w.token, w.header = "Bearer "+w.OAuthToken("maria", "api"), "Authorization"
			return w.send("GET", "/personal_access_tokens/self", nil)
		},
	}
}

func (w *world) deploy(sha, status string) (int, m) {
	w.t.Helper()
	return w.send("POST", "/projects/g%2Fp/deployments", m{"environment": "e", "sha": sha, "ref": "main", "tag": false, "status": status})
}
