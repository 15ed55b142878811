package gitlab_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	api "gitlab.com/gitlab-org/api/client-go/v2"
	"go.yaml.in/yaml/v3"

	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

// specs is the folder with GitLab's documents, or the end of the test.
func specs(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("PIPELINE_GITLAB_SPECS")
	if dir == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("PIPELINE_GITLAB_SPECS is not set")
		}
		t.Skip("PIPELINE_GITLAB_SPECS is not set")
	}
	return dir
}

// What the double answers is compared with the official client's types (each
// value must survive decoding and encoding), with the names in GitLab's
// OpenAPI, with the kinds in the official client's samples, and with the
// schemas of GitLab's own tests where there are some.
func TestShapes(t *testing.T) {
	t.Parallel()
	dir := specs(t)
	f := newForge(t)
	f.p.Protect(gitlabtest.ProtectedTag{Pattern: "v*", Levels: []gitlabtest.Role{gitlabtest.Maintainer}, Users: []string{"maria"}})
	f.p.Set(func(s *gitlabtest.Settings) { s.Premium, s.ApprovalsRequired = true, 1 })
	iid, _ := f.merged(t, "bert")
	r := f.release()
	r.Message = "annotated"
	if _, err := f.c.EnsureRelease(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if _, err := f.c.EnsureAsset(t.Context(), asset("bytes")); err != nil {
		t.Fatal(err)
	}
	if _, err := f.c.EnsureNote(t.Context(), iid, "n", "text"); err != nil {
		t.Fatal(err)
	}
	f.p.Deploy("staging", f.commit, "main", "success", "maria")
	access, job := f.AccessToken("maria", "api"), f.p.JobToken("maria")
	const p = "/projects/group%2Fsub%2Fapp"
	var packages []api.Package
	decode(t, f.body(t, access, "", p+"/packages"), &packages)
	schemas := openapi(t, dir)
	for _, test := range []struct {
		path, job string
		into      any
		schema    string // of the OpenAPI
		sample    string // of the official client
		rspec     string // of GitLab's tests
	}{
		{path: p, into: new(api.Project), schema: "APIEntitiesProjectWithAccess"},
		{path: p + "/protected_tags", into: new([]api.ProtectedTag), schema: "APIEntitiesProtectedTag"},
		{path: p + "/repository/tags", into: new([]api.Tag), schema: "APIEntitiesTag"},
		{path: p + "/repository/tags/v1%2E0%2E0", into: new(api.Tag), schema: "APIEntitiesTag"},
		{path: p + "/repository/commits/" + f.commit, into: new(api.Commit), schema: "APIEntitiesCommitDetail", sample: "get_commit.json"},
		{path: p + "/releases", into: new([]api.Release), schema: "APIEntitiesRelease"},
		{path: p + "/releases/v1%2E0%2E0", into: new(api.Release), schema: "APIEntitiesRelease"},
		{path: p + "/releases/v1%2E0%2E0/assets/links", into: new([]api.ReleaseLink), schema: "APIEntitiesReleasesLink"},
		{path: p + "/packages", into: new([]api.Package), schema: "APIEntitiesPackage"},
		{path: fmt.Sprintf("%s/packages/%d/package_files", p, packages[0].ID), into: new([]api.PackageFile), schema: "APIEntitiesPackageFile"},
		{path: p + "/merge_requests", into: new([]api.BasicMergeRequest), schema: "APIEntitiesMergeRequestBasic", sample: "get_merge_requests.json"},
		{path: p + "/merge_requests/1", into: new(api.MergeRequest), schema: "APIEntitiesMergeRequestBasic", sample: "get_merge_request.json"},
		{path: p + "/merge_requests/1/commits", into: new([]api.Commit), schema: "APIEntitiesCommit"},
		{path: p + "/merge_requests/1/versions", into: new([]api.MergeRequestDiffVersion), schema: "patch_id_sha"},
		{path: p + "/merge_requests/1/approvals", into: new(api.MergeRequestApprovals), schema: "APIEntitiesMergeRequestApprovals", sample: "get_merge_request_approvals.json"},
		{path: p + "/merge_requests/1/notes", into: new([]api.Note), schema: "APIEntitiesNote", rspec: "notes.json"},
		{path: p + "/deployments", into: new([]api.Deployment), schema: "APIEntitiesDeployment"},
		{path: p + "/environments", into: new([]api.Environment), schema: "APIEntitiesEnvironment"},
		{path: "/user", into: new(api.User), schema: "APIEntitiesUserPublic", sample: "get_user.json"},
		{path: "/personal_access_tokens/self", into: new(api.PersonalAccessToken)},
		{path: "/job", job: job, into: new(api.Job), schema: "APIEntitiesCiJob"},
	} {
		body := f.body(t, access, test.job, test.path)
		decode(t, body, test.into)
		encoded, err := json.Marshal(test.into)
		if err != nil {
			t.Fatal(err)
		}
		names := append(slices.Clone(schemas[test.schema]), test.schema)
		ours, theirs := first(t, body), first(t, encoded)
		survives(t, test.path, ours, theirs)
		for name := range ours {
			if _, ok := theirs[name]; !ok && !slices.Contains(names, name) && !hasTag(test.into, name) {
				t.Errorf("%s: neither the official client nor the OpenAPI has %q", test.path, name)
			}
		}
		if test.sample != "" {
			sampled(t, test.path, ours, filepath.Join(dir, "client-go-testdata", test.sample))
		}
		if test.rspec != "" {
			validate(t, body, filepath.Join(dir, "rspec-schemas", test.rspec))
		}
	}
}

func (f *forge) body(t *testing.T, access, job, path string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.URL+"/api/v4"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if job != "" {
		r.Header.Set("Job-Token", job)
	} else {
		r.Header.Set("Private-Token", access)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s %v", path, resp.StatusCode, data, err)
	}
	return data
}

func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("the official client does not understand %s: %v", data, err)
	}
}

// first is the object, or the first object of the list.
func first(t *testing.T, data []byte) map[string]any {
	t.Helper()
	var list []map[string]any
	if json.Unmarshal(data, &list) == nil {
		if len(list) == 0 {
			t.Fatal("an empty list shows no shape")
		}
		return list[0]
	}
	var one map[string]any
	decode(t, data, &one)
	return one
}

// survives compares what both sides have, deeply.
func survives(t *testing.T, at string, ours, theirs any) {
	t.Helper()
	switch o := ours.(type) {
	case map[string]any:
		if th, ok := theirs.(map[string]any); ok {
			for name, value := range o {
				if other, ok := th[name]; ok && value != nil {
					survives(t, at+"."+name, value, other)
				}
			}
			return
		}
	case []any:
		if th, ok := theirs.([]any); ok && len(th) == len(o) {
			for i := range o {
				survives(t, fmt.Sprintf("%s[%d]", at, i), o[i], th[i])
			}
			return
		}
		if len(o) == 0 && theirs == nil {
			return
		}
	case string:
		a, errA := time.Parse(time.RFC3339, o)
		b, errB := time.Parse(time.RFC3339, fmt.Sprint(theirs))
		if errA == nil && errB == nil && a.Equal(b) {
			return
		}
	}
	if strings.HasSuffix(at, ".notification_level") {
		return // a number that the client shows by its name
	}
	if !cmp.Equal(ours, theirs) {
		t.Errorf("%s: %v came out of the official client as %v", at, ours, theirs)
	}
}

// hasTag tells whether a type of the client has a field of the name, which
// omitempty may hide.
func hasTag(into any, name string) bool {
	typ := reflect.TypeOf(into).Elem()
	if typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	for _, field := range reflect.VisibleFields(typ) {
		if tag, _, _ := strings.Cut(field.Tag.Get("json"), ","); tag == name {
			return true
		}
	}
	return false
}

// sampled compares the kinds of JSON values with a sample of GitLab.
func sampled(t *testing.T, at string, ours map[string]any, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	theirs, shared := first(t, data), 0
	for name, value := range theirs {
		mine, ok := ours[name]
		if !ok || mine == nil || value == nil {
			continue
		}
		shared++
		if a, b := reflect.TypeOf(mine), reflect.TypeOf(value); a != b {
			t.Errorf("%s: %q is %v, in %s it is %v", at, name, a, filepath.Base(file), b)
		}
	}
	if shared < 3 {
		t.Errorf("%s: only %d names are in %s", at, shared, filepath.Base(file))
	}
}

func validate(t *testing.T, body []byte, file string) {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile(file)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Error(err)
	}
}

// openapi is the names of the properties of each schema.
func openapi(t *testing.T, dir string) map[string][]string {
	t.Helper()
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]yaml.Node
			}
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "openapi", "gitlab-openapi-v3.subset.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	names := map[string][]string{}
	for schema, s := range doc.Components.Schemas {
		for name := range s.Properties {
			names[schema] = append(names[schema], name)
		}
	}
	return names
}
