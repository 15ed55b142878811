package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
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
	scripts := allScripts(t)
	found := 0
	for file, text := range documents(t) {
		for _, command := range commandLines(text) {
			found++
			line := regexp.MustCompile(`(?m)^(exits \d+|exec) ` + regexp.QuoteMeta(command) + `( -C \S+)?( &\w+&)?$`)
			if !line.MatchString(scripts) {
				t.Errorf("%s shows %q, which no script runs", file, command)
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d commands were found in the documents", found)
	}
}

// allScripts is the text of all testscripts of the command line.
func allScripts(t *testing.T) string {
	t.Helper()
	var scripts strings.Builder
	for _, pattern := range []string{"testdata/*/*.txtar", "../story/testdata/*/*.txtar"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			scripts.Write(data)
		}
	}
	return scripts.String()
}

// commandLines are the calls of pipeline that a document shows: in indented
// code, behind a prompt, and in blocks of shell. Where their output goes does
// not matter, nor what is set in their environment.
func commandLines(text string) []string {
	var lines []string
	shown := regexp.MustCompile(`(?m)^(?:    |\$ )(pipeline [^#\n]*[^#\s])`)
	for _, m := range shown.FindAllStringSubmatch(text, -1) {
		lines = append(lines, m[1])
	}
	shell := regexp.MustCompile(`(?m)^(?:[A-Z_]+=\S+ )*(pipeline [^#\n]*[^#\s])`)
	for _, b := range blocks(text) {
		if b.language != "sh" || b.file != "" {
			continue
		}
		for _, m := range shell.FindAllStringSubmatch(b.text, -1) {
			lines = append(lines, m[1])
		}
	}
	redirected := regexp.MustCompile(` >\S+$`)
	for i, l := range lines {
		lines[i] = redirected.ReplaceAllString(l, "")
	}
	return lines
}

// TestGitLabFileFitsTheSchema checks .gitlab-ci.yml with GitLab's own schema,
// which lies where PIPELINE_GITLAB_SPECS says.
func TestGitLabFileFitsTheSchema(t *testing.T) {
	t.Parallel()
	schema := gitlabtest.CISchema(t)
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

// TestRelativeLinksLeadSomewhere checks the files that documents link to, and
// the headings in them.
func TestRelativeLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#\s]*)(?:#([^)\s]*))?\)`)
	texts := documents(t)
	for file, text := range texts {
		for _, m := range link.FindAllStringSubmatch(prose(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target := filepath.Join(filepath.Dir(file), m[1])
			if m[1] == "" {
				target = file
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", file, m[1])
			}
			if m[2] != "" && !slices.Contains(anchors(texts[target]), m[2]) {
				t.Errorf("%s links to %s#%s, and there is no such heading", file, m[1], m[2])
			}
		}
	}
}

// anchors are the ids that GitLab gives to the headings of a document.
func anchors(text string) []string {
	var ids []string
	for _, m := range regexp.MustCompile(`(?m)^#+ +(.+)$`).FindAllStringSubmatch(prose(text), -1) {
		ids = append(ids, anchor(m[1]))
	}
	return ids
}

// prose is a document without its blocks of code.
func prose(text string) string {
	for _, b := range blocks(text) {
		text = strings.Replace(text, b.text, "", 1)
	}
	return text
}

// anchor is the id of a heading: lower case, what is neither letter, digit, -
// nor _ dropped, spaces as dashes.
func anchor(heading string) string {
	id := regexp.MustCompile("[^a-z0-9 _-]").ReplaceAllString(strings.ToLower(heading), "")
	return strings.ReplaceAll(id, " ", "-")
}
