package scaffold

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// translation is a repository on its way to a pipeline.yaml.
type translation struct {
	*Plan
	f    *Facts
	name string
	main string // folder of the program, "" for none
	// args, port and ready are how the program is started and asked.
	args  []string
	port  int
	ready string
	image image
	// stages are the entries of the key stages, by name.
	stages map[string]*stage
	// notes are what a person has to decide, by key of pipeline.yaml.
	notes map[string][]string
	// goMod is the content of a new go.mod.
	goMod string
	// bridges are the tests that call make.
	bridges []bridge
	// chart is the folder of a chart that has to be named.
	chart string
}

// stage is an entry of the key stages.
type stage struct {
	command []string
	script  string // in place of a command: for sh -ec
	race    bool
	inputs  []string
	outputs []string
	after   []string
	args    []string
	port    int
	ready   string
}

// translate makes the plan for a repository as it is.
func (p *Plan) translate(f *Facts) error {
	if !f.isGo() && f.Dockerfile == nil && f.Makefile == nil && f.Config == "" {
		return usage("%s: neither Go code nor a Dockerfile nor a Makefile is here; `pipeline init --service NAME` makes a new service", f.Dir)
	}
	if f.PartOf != "" && f.Module == "" && f.Config == "" && f.isGo() {
		return usage("%s is part of the Go module in %s; expected a module's own folder: pipeline init --dir %[2]s", f.Dir, shellWord(f.above(f.PartOf)))
	}
	t := &translation{Plan: p, f: f, stages: map[string]*stage{}, notes: map[string][]string{}}
	t.program()
	t.legacy()
	t.start()
	t.image = t.imageOf()
	t.makefile()
	t.foreign()
	for _, name := range f.Unread {
		t.missing("a file", "%s; it was passed over", name)
	}
	if f.Config != "" {
		p.found("pipeline.yaml: what it says counts, and it stays as it is")
		p.Kept = append(p.Kept, "pipeline.yaml")
		p.Missing, t.goMod, t.bridges = []Missing{}, "", nil
	}
	t.deploy()
	t.apis()
	if f.Config == "" {
		t.write()
	}
	p.ci(f, "service", inputs{stages: t.ownStages()})
	t.steps()
	return nil
}

// write adds pipeline.yaml and what belongs to it.
func (t *translation) write() {
	if t.goMod != "" {
		t.add(t.f, "go.mod", t.goMod)
	}
	for _, b := range t.bridges {
		t.add(t.f, b.file(), b.content())
	}
	t.add(t.f, "pipeline.yaml", t.config())
}

// program finds the name of the service and its main package.
func (t *translation) program() {
	t.name = t.serviceName()
	if t.f.Module != "" {
		t.found("Go module %s", t.f.Module)
	}
	mains := slices.DeleteFunc(slices.Clone(t.f.Mains), isTool)
	switch {
	case !t.f.isGo():
		t.found("no Go code")
	case len(mains) == 0:
		t.found("no main package: a library has no image, and no module and integration stage")
	case slices.Contains(mains, "."):
		t.main = "."
	default:
		t.main = t.choose(mains)
	}
	if t.main != "" {
		t.found("the program: %s", goFolderPath(t.main))
	}
}

// isTool reports whether a main package is no service by its place.
func isTool(dir string) bool {
	return slices.ContainsFunc(strings.Split(dir, "/"), func(e string) bool {
		return slices.Contains([]string{"tools", "hack", "scripts", "examples", "example", "internal", "test", "tests"}, e)
	})
}

// choose returns the main package whose name is the service's, or the only
// one, or the first with a note.
func (t *translation) choose(mains []string) string {
	for _, m := range mains {
		if path.Base(m) == t.name {
			return m
		}
	}
	if len(mains) > 1 {
		var list []string
		for _, m := range mains {
			list = append(list, goFolderPath(m))
		}
		t.note("main", "There are several programs: %s. Which is the service?", strings.Join(list, ", "))
	}
	return mains[0]
}

// goFolderPath writes a folder as the go command takes it.
func goFolderPath(dir string) string {
	if dir == "." {
		return "."
	}
	return "./" + dir
}

// serviceName: manifests that are used as they are tell, for the image in them
// is exchanged by its name.
func (t *translation) serviceName() string {
	if m := t.f.Manifests; t.usesManifests() && m.Workload != nil {
		if name := imageName(m.Workload.Image); labelOf(name) == name {
			return name
		}
	}
	return t.defaultName()
}

// defaultName is what the pipeline calls a service whose pipeline.yaml does not
// say it, as far as that is a name.
func (t *translation) defaultName() string {
	from := t.f.Module
	if from == "" && t.f.Legacy != nil {
		from = t.f.Legacy.ImportPath
	}
	return cmp.Or(labelOf(lastElement(from)), labelOf(path.Base(t.f.Dir)), "service")
}

var major = pattern(`^v[0-9]+$`)

// lastElement returns the last element of a path without a major version.
func lastElement(p string) string {
	dir, last := path.Split(strings.TrimRight(p, "/"))
	if dir != "" && major().MatchString(last) {
		return path.Base(dir)
	}
	return last
}

// labelOf makes a DNS label of a word, beginning with a letter; "" if nothing
// is left.
func labelOf(word string) string {
	word = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(word))
	word = strings.TrimLeft(word, "-0123456789")
	return strings.Trim(word[:min(len(word), 53)], "-") // Helm's limit for a release
}

// imageName returns the last path element of an image without tag and digest.
func imageName(image string) string {
	image, _, _ = strings.Cut(image, "@")
	name, _, _ := strings.Cut(path.Base(image), ":")
	return name
}

// usesManifests reports whether the integration stage can take the manifests.
func (t *translation) usesManifests() bool {
	return t.f.Manifests != nil && len(t.f.Manifests.Obstacles) == 0 && len(t.f.Charts) == 0
}

// steps lists what is to do next.
func (t *translation) steps() {
	if t.f.Config == "" && len(t.notes) > 0 {
		t.next("decide what the comments in pipeline.yaml ask")
	}
	if t.Include != "" {
		t.next("add the lines shown to .gitlab-ci.yml")
	}
	t.next("pipeline run")
}
