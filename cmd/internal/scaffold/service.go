package scaffold

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// serviceFS holds a whole service, written as it is for people: a module with a
// name of its own, in whose files the two placeholders below are replaced. What
// the go command or git would take for its own has the extension .tmpl. The
// generated code depends on neither name: the API has its own package, and the
// .proto names no Go package.
//
//go:embed all:service
var serviceFS embed.FS

const (
	placeholderModule = "example.com/newservice"
	placeholderName   = "newservice"
)

// serviceName matches what can name a Helm release, a Kubernetes Service, a
// program and a folder alike.
var serviceName = pattern(`^[a-z]([-a-z0-9]{0,48}[a-z0-9])?$`)

// reserved are names that a program cannot have: they are folders of the image,
// or mean something to the go command.
func reserved() []string {
	return []string{"data", "dev", "etc", "proc", "sys", "tmp", "internal", "testdata", "vendor"}
}

// newService is the plan for a new service. It goes into the folder itself when
// that is as good as empty, and otherwise into one of its name below.
func (p *Plan) newService(f *Facts, o Options) error {
	if !serviceName().MatchString(o.Service) {
		return usage("%q is no name of a service; expected at most 50 lower-case letters, digits and -, a letter first", o.Service)
	}
	if slices.Contains(reserved(), o.Service) {
		return usage("a service cannot be called %s: the image has a folder of this name, or the go command gives it a meaning; expected another name", o.Service)
	}
	at := o.Service
	if f.bare() || f.named(o.Service) {
		at = "."
	}
	mod, err := f.newModule(o, at)
	if err != nil {
		return err
	}
	if f.has(path.Join(at, "pipeline.yaml")) {
		p.found("the service %s is there already: nothing is left to do", at)
		p.Kept = append(p.Kept, path.Join(at, "pipeline.yaml"))
		return nil
	}
	if err := p.fill(f, at, o.Service, mod); err != nil {
		return err
	}
	p.found("room for the new service %s, module %s, in %s", o.Service, mod, cmp.Or(strings.TrimPrefix(at, "."), "this folder"))
	p.newCI(f, at, o.Service)
	if mod == "example.com/"+o.Service {
		p.missing("a module path", "no git remote and no other service says where the module lies, so it is %s: make the service again with another, or exchange it in go.mod and in all imports", mod)
	}
	p.steps(at)
	return nil
}

// newCI includes the component for a new service. What is included for a folder
// with several services takes the new one, too; beside a service of the folder
// itself, it needs jobs of its own.
func (p *Plan) newCI(f *Facts, at, name string) {
	switch {
	case at == ".":
		p.ci(f, "service", inputs{})
	case f.Below == "": // a repository of its own
		own := &Plan{}
		own.ci(&Facts{}, "service", inputs{})
		for _, file := range own.Files {
			p.add(f, path.Join(at, file.Path), file.Content)
		}
	case f.Module != "" || f.Config != "":
		p.missing("the new service in `pipeline run` here", "the folder is a service itself, so the new one runs in its own folder only")
		p.ci(f, "service", inputs{prefix: name + "-", dir: at})
	default:
		p.ci(f, "service", inputs{})
	}
}

// steps are those after a service was made.
func (p *Plan) steps(at string) {
	if at != "." {
		p.next("cd %s", shellWord(at))
	}
	p.next("pipeline run")
	p.next("exchange the greeting by what the service is about: proto, internal/greeting, internal/server")
}

// bare reports whether a folder has nothing that a new service would be mixed
// with.
func (f *Facts) bare() bool {
	return !slices.ContainsFunc(f.Files, func(name string) bool {
		return !slices.Contains([]string{
			"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "CODEOWNERS",
			".git", ".gitignore", ".gitattributes", ".gitlab-ci.yml", ".editorconfig", ".mailmap",
		}, name)
	})
}

// named reports whether pipeline.yaml is that of the service.
func (f *Facts) named(service string) bool {
	var config struct{ Name string }
	return yaml.Unmarshal([]byte(f.Config), &config) == nil && config.Name == service
}

// newModule returns the module path: the wanted one, else that of the remote
// and the folder, else one beside the other services.
func (f *Facts) newModule(o Options, at string) (string, error) {
	if o.Module != "" {
		if err := module.CheckPath(o.Module); err != nil {
			return "", usage("%v; expected a module path such as gitlab.com/group/%s", err, o.Service)
		}
		return o.Module, nil
	}
	var candidates []string
	if f.Remote != "" {
		candidates = append(candidates, path.Join(f.Remote, f.Below, at))
	}
	if f.Neighbours != "" {
		candidates = append([]string{path.Join(f.Neighbours, o.Service)}, candidates...)
	}
	for _, c := range candidates {
		if module.CheckPath(c) == nil {
			return c, nil
		}
	}
	return "example.com/" + o.Service, nil
}

// tidied sorts a go.mod as `go mod tidy` does: the module's own tool has
// another place under each name.
func tidied(text string) (string, error) {
	file, err := modfile.Parse("go.mod", []byte(text), nil)
	if err != nil {
		return "", err
	}
	file.SortBlocks()
	sorted, err := file.Format()
	return string(sorted), err
}

// fill adds the files of a service in the folder at. A part of them that is
// there already would be mixed with the rest, but for those that every
// repository has.
func (p *Plan) fill(f *Facts, at, name, mod string) error {
	var taken []string
	err := fs.WalkDir(serviceFS, "service", func(from string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := serviceFS.ReadFile(from)
		if err != nil {
			return err
		}
		text := strings.ReplaceAll(string(content), placeholderModule, mod)
		text = strings.ReplaceAll(text, placeholderName, name)
		if path.Base(from) == "go.mod.tmpl" {
			if text, err = tidied(text); err != nil {
				return err
			}
		}
		to := strings.TrimSuffix(strings.TrimPrefix(from, "service/"), ".tmpl")
		to = path.Join(at, strings.ReplaceAll(to, placeholderName, name))
		p.add(f, to, text)
		if base := path.Base(to); f.has(to) && base != "README.md" && base != ".gitignore" {
			taken = append(taken, to)
		}
		return nil
	})
	if err == nil && len(taken) > 0 {
		err = usage("%s is there already and would be mixed with a new service; expected another name, or an empty folder", cmp.Or(examples(taken), at))
	}
	if err != nil {
		return fmt.Errorf("make the service %s: %w", name, err)
	}
	return nil
}
