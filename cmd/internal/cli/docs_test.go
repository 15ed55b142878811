package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

const top = "../../.."

// documents are the texts whose commands and links are checked.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		files, err := filepath.Glob(filepath.Join(top, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			texts[f] = string(data)
		}
	}
	return texts
}

// TestEveryCommandInTheDocsIsInAScript finds each command line of the documents
// in a script of testdata, where it is run.
func TestEveryCommandInTheDocsIsInAScript(t *testing.T) {
	t.Parallel()
	var scripts strings.Builder
	files, _ := filepath.Glob("testdata/*/*.txtar")
	stories, _ := filepath.Glob("../story/testdata/*/*.txtar")
	for _, f := range append(files, stories...) {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		scripts.Write(data)
	}
	command := regexp.MustCompile(`(?m)^(?:    |\$ )(pipeline [^#\n]*[^#\s])`)
	found := 0
	for file, text := range documents(t) {
		for _, m := range command.FindAllStringSubmatch(text, -1) {
			found++
			line := regexp.MustCompile(`(?m)^(exits \d+|exec) ` + regexp.QuoteMeta(m[1]) + `( -C \S+)?( &\w+&)?$`)
			if !line.MatchString(scripts.String()) {
				t.Errorf("%s shows %q, which no script runs", file, m[1])
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d commands were found in the documents", found)
	}
}

// TestGitLabFileFitsTheSchema checks .gitlab-ci.yml with GitLab's own schema,
// which lies where PIPELINE_GITLAB_SPECS says.
func TestGitLabFileFitsTheSchema(t *testing.T) {
	t.Parallel()
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
	data, err := os.ReadFile(filepath.Join(top, ".gitlab-ci.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var file any
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(file); err != nil {
		t.Error(err)
	}
	if err := schema.Validate(map[string]any{"test": map[string]any{"script": 7}}); err == nil {
		t.Error("the schema accepts anything")
	}
}

func TestRelativeLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#\s]+)\)`)
	for file, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", file, m[1])
			}
		}
	}
}
