package scaffold

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"gitlab.com/selfcontained/pipeline/cmd/internal/templates"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
)

// component is where the CI/CD components of this project are found. GitLab
// takes components from the instance that it is itself, so the host is a
// variable: gitlab.com has the project, another instance a copy of it.
const component = "$CI_SERVER_FQDN/selfcontained/pipeline/"

// origin is where this project is at home.
const origin = "gitlab.com"

// inputs are those of the component that differ from their defaults.
type inputs struct {
	prefix string // of the jobs' names
	dir    string // folder below the top of the repository; "" and "." for that
	stages []string
}

// lines returns what includes a component.
func (i inputs) lines(kind string) string {
	var b strings.Builder
	b.WriteString("include:\n  - component: " + component + kind + "@" + templates.Major + "\n")
	if i.dir = path.Clean(i.dir); i.dir != "." || i.prefix != "" || len(i.stages) > 0 {
		b.WriteString("    inputs:\n")
	}
	for _, input := range []struct{ name, value string }{
		{"prefix", i.prefix}, {"dir", strings.TrimPrefix(i.dir, ".")}, {"own-stages", strings.Join(i.stages, " ")},
	} {
		if input.value != "" {
			b.WriteString("      " + input.name + ": " + flow(input.value) + "\n")
		}
	}
	return b.String()
}

// ci includes a component. A file that is there is another's: the lines to add
// are shown. GitLab reads the one at the top of a repository alone.
func (p *Plan) ci(f *Facts, kind string, in inputs) {
	in.dir = path.Join(f.Below, in.dir)
	switch {
	case included(f.CI, kind, in.dir):
		p.found(".gitlab-ci.yml includes the component")
		return
	case f.Below != "" && f.Below != ".":
		p.Include = in.lines(kind)
		p.missing("the component in .gitlab-ci.yml", "GitLab reads the one at the top of the repository, which is not this folder: add the lines shown there")
	case f.has(".gitlab-ci.yml"):
		p.Kept = append(p.Kept, ".gitlab-ci.yml")
		p.Include = in.lines(kind)
		p.missing("the component in .gitlab-ci.yml", "GitLab does not run the stages yet: add the lines shown, below an include that is there already")
	default:
		p.add(f, ".gitlab-ci.yml", "# The stages, their order and their reports come with the component.\n"+in.lines(kind))
	}
	if host, _, _ := strings.Cut(f.Remote, "/"); host != "" && host != origin && host != "github.com" {
		p.missing("the component on "+host, "GitLab takes components from its own instance: mirror %[1]s there, as selfcontained/pipeline or under another path that you name in place of this one; "+
			"or include the file in place of the component, `remote: %[1]s/-/raw/TAG/templates/%[2]s/template.yml`", "https://"+origin+"/selfcontained/pipeline", kind)
	}
}

// include is an entry of the keyword include.
type include struct {
	Component, Local, Remote string
	File                     any // one or several
	Inputs                   struct{ Dir string }
}

// included reports whether a .gitlab-ci.yml includes the component for a
// folder, in any of the ways that GitLab has.
func included(ci, kind, dir string) bool {
	documents := yaml.NewDecoder(strings.NewReader(ci))
	for {
		var document struct{ Include yaml.Node }
		if err := documents.Decode(&document); err != nil {
			return false
		}
		entries := document.Include.Content
		if document.Include.Kind != yaml.SequenceNode {
			entries = []*yaml.Node{&document.Include}
		}
		if slices.ContainsFunc(entries, func(n *yaml.Node) bool { return includes(n, kind, dir) }) {
			return true
		}
	}
}

func includes(entry *yaml.Node, kind, dir string) bool {
	var i include
	if entry.Kind == yaml.ScalarNode {
		i.Local = entry.Value
	} else if entry.Decode(&i) != nil {
		return false
	}
	files := []any{i.Local, i.Remote, i.File}
	if list, ok := i.File.([]any); ok {
		files = append(files, list...)
	}
	ours := strings.Contains(i.Component, "/pipeline/"+kind+"@") || slices.ContainsFunc(files, func(name any) bool {
		text, ok := name.(string)
		return ok && strings.HasSuffix(text, "templates/"+kind+"/template.yml")
	})
	return ours && path.Clean(i.Inputs.Dir) == path.Clean(cmp.Or(dir, "."))
}

// ownStages returns the stages with names of their own: a job of the component
// runs those that it is told.
func (t *translation) ownStages() []string {
	var names []string
	for name := range t.stages {
		names = append(names, name)
	}
	if t.f.Config != "" {
		var file struct{ Stages map[string]any }
		_ = yaml.Unmarshal([]byte(t.f.Config), &file) // what is wrong with it, the pipeline says
		names = nil
		for name := range file.Stages {
			names = append(names, name)
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(config.Builtin(), name) })
	slices.Sort(names)
	return names
}
