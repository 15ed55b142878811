package cli

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

// block is one fenced block of a document. Where the line before it ends with a
// path in backticks and a colon, it is the content of that file.
type block struct {
	language, file, text string
}

func blocks(text string) []block {
	var list []block
	fence := regexp.MustCompile("(?ms)(?:^[^\n]*`([\\w./-]+)`:\n\n?)?^```(\\w*)[^\n]*\n(.*?)^```$")
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		list = append(list, block{language: m[2], file: m[1], text: m[3]})
	}
	return list
}

// writeShown writes files that a document shows into a folder, so that scripts
// run exactly what readers see: shown DOCUMENT DIR [FILE...]. Without names it
// is all files of the document.
func writeShown(ts *testscript.TestScript, _ bool, args []string) {
	data, err := os.ReadFile(filepath.Join(testdata(ts), "..", top, "docs", filepath.FromSlash(args[0])))
	ts.Check(err)
	done := map[string]bool{}
	for _, b := range blocks(string(data)) {
		if b.file == "" || len(args) > 2 && !slices.Contains(args[2:], b.file) {
			continue
		}
		if done[b.file] {
			ts.Fatalf("%s shows %s twice", args[0], b.file)
		}
		done[b.file] = true
		name := ts.MkAbs(path.Join(args[1], b.file))
		ts.Check(os.MkdirAll(filepath.Dir(name), 0o755))
		ts.Check(os.WriteFile(name, []byte(b.text), 0o644))
	}
	for _, name := range args[2:] {
		if !done[name] {
			ts.Fatalf("%s does not show %s", args[0], name)
		}
	}
	if len(done) == 0 {
		ts.Fatalf("%s shows no files", args[0])
	}
}

// TestFilesInTheDocsAreUsed demands that a script works with the files that a
// document shows: with all of them, or with each by its name.
func TestFilesInTheDocsAreUsed(t *testing.T) {
	t.Parallel()
	scripts := allScripts(t)
	found := 0
	for file, text := range documents(t) {
		for _, b := range blocks(text) {
			if b.file == "" || path.Base(b.file) == ".gitlab-ci.yml" {
				continue
			}
			found++
			name, err := filepath.Rel(filepath.Join(top, "docs"), file)
			if err != nil {
				t.Fatal(err)
			}
			used := regexp.MustCompile(`(?m)^shown ` + regexp.QuoteMeta(filepath.ToSlash(name)) + ` \S+( .*)?$`)
			if !slices.ContainsFunc(used.FindAllStringSubmatch(scripts, -1), func(m []string) bool {
				return m[1] == "" || slices.Contains(strings.Fields(m[1]), b.file)
			}) {
				t.Errorf("%s shows the file %s, which no script uses: shown %s DIR", file, b.file, filepath.ToSlash(name))
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d files were found in the documents", found)
	}
}

// TestConfigurationsFitTheSchemas checks all configurations of the repository
// and of its documents with a validator that knows nothing of this program.
func TestConfigurationsFitTheSchemas(t *testing.T) {
	t.Parallel()
	schemas := map[string]*jsonschema.Schema{
		config.FileName:   compileSchema(t, "pipeline.schema.json"),
		config.SystemName: compileSchema(t, "scs.schema.json"),
	}
	found := map[string]int{}
	for name, text := range configurations(t) {
		base := path.Base(name)
		found[base]++
		if err := schemas[base].Validate(decodeYAML(t, name, text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if found[config.FileName] < 6 || found[config.SystemName] < 2 {
		t.Errorf("only %v were found", found)
	}
	for base, wrong := range map[string]string{
		config.FileName:   "stages: {unit: {port: 80}}",
		config.SystemName: "services: [{name: stock}]",
	} {
		if err := schemas[base].Validate(decodeYAML(t, base, wrong)); err == nil {
			t.Errorf("the schema of %s accepts %s", base, wrong)
		}
	}
}

func compileSchema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	s, err := compiler.Compile(filepath.Join(top, "docs", "schema", name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func decodeYAML(t *testing.T, name, text string) any {
	t.Helper()
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	datesAsText(&root)
	var v any
	if err := root.Decode(&v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// datesAsText makes dates text, which they are in JSON and for editors.
func datesAsText(n *yaml.Node) {
	if n.Tag == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, child := range n.Content {
		datesAsText(child)
	}
}

// configurations are the files of the repository, and the blocks of YAML of its
// documents that are a pipeline.yaml or an scs.yaml, by a name that ends in the
// file's.
func configurations(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(top), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (d.Name()[0] == '.' || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.Name() == config.FileName || d.Name() == config.SystemName:
			data, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(name)))
			all[name] = string(data)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range documents(t) {
		for i, b := range blocks(text) {
			if kind := configurationKind(t, file, b); kind != "" {
				all[file+":"+string(rune('a'+i))+"/"+kind] = b.text
			}
		}
	}
	return all
}

// configurationKind tells which file a block of YAML belongs into; "" is none
// of ours: a GitLab file, or one that a script uses.
func configurationKind(t *testing.T, file string, b block) string {
	t.Helper()
	if b.language != "yaml" {
		return ""
	}
	if base := path.Base(b.file); base == config.FileName || base == config.SystemName {
		return base
	}
	if b.file != "" {
		return ""
	}
	keys, ok := decodeYAML(t, file, b.text).(map[string]any)
	switch {
	case !ok:
		t.Errorf("%s: a block of YAML is no mapping:\n%s", file, b.text)
		return ""
	case isGitLab(keys):
		return ""
	case keys["kind"] == "System", keys["services"] != nil, keys["environments"] != nil:
		return config.SystemName
	}
	return config.FileName
}

// isGitLab recognises a part of a .gitlab-ci.yml: it includes something, or has
// a job.
func isGitLab(keys map[string]any) bool {
	for key, value := range keys {
		job, _ := value.(map[string]any)
		if key == "include" || key == "spec" || job["script"] != nil || job["extends"] != nil || job["variables"] != nil {
			return true
		}
	}
	return false
}

// TestGitLabFilesInTheDocsFitTheSchema checks what the documents show of
// .gitlab-ci.yml with GitLab's own schema.
func TestGitLabFilesInTheDocsFitTheSchema(t *testing.T) {
	t.Parallel()
	schema := gitlabtest.CISchema(t)
	found := 0
	for file, text := range documents(t) {
		for _, b := range blocks(text) {
			if b.language != "yaml" || b.file != "" && path.Base(b.file) != ".gitlab-ci.yml" {
				continue
			}
			var docs []map[string]any
			for d := yaml.NewDecoder(bytes.NewReader([]byte(b.text))); ; {
				var keys map[string]any
				if d.Decode(&keys) != nil {
					break
				}
				docs = append(docs, keys)
			}
			for _, keys := range docs {
				if !isGitLab(keys) {
					continue
				}
				found++
				if err := schema.Validate(any(keys)); err != nil {
					t.Errorf("%s: %v\n%s", file, err, b.text)
				}
			}
		}
	}
	if found == 0 {
		t.Error("no document shows a .gitlab-ci.yml")
	}
}

// TestInputsInTheDocsExist finds each input that a document gives to a template
// in the template's header.
func TestInputsInTheDocsExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(top, "templates", "*", "template.yml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var header struct {
			Spec struct{ Inputs map[string]any }
		}
		if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&header); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		for name := range header.Spec.Inputs {
			known[name] = true
		}
	}
	for file, text := range documents(t) {
		for _, b := range blocks(text) {
			var includes struct {
				Include []struct{ Inputs map[string]any }
			}
			if b.language != "yaml" || yaml.Unmarshal([]byte(b.text), &includes) != nil {
				continue
			}
			for _, include := range includes.Include {
				for name := range include.Inputs {
					if !known[name] {
						t.Errorf("%s gives the input %s, which no template has", file, name)
					}
				}
			}
		}
	}
}
