package gitlabtest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// CISchema is GitLab's own JSON schema of .gitlab-ci.yml, out of the folder that
// PIPELINE_GITLAB_SPECS names. Without the variable the test is skipped, with
// CI=true it fails.
func CISchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	specs := os.Getenv("PIPELINE_GITLAB_SPECS")
	if specs == "" && os.Getenv("CI") == "true" {
		t.Fatal("PIPELINE_GITLAB_SPECS names no folder with GitLab's CI schema")
	}
	if specs == "" {
		t.Skip("PIPELINE_GITLAB_SPECS is not set")
	}
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join(specs, "ci-schema", "ci.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}
