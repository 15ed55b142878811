package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/modfile"
)

// complete fills in what the file leaves open, and returns the service or all
// problems.
func complete(d *decoder, s *Service) (*Service, error) {
	module := &goModule{dir: s.Dir}
	d.problems = append(d.problems, module.read()...)
	s.Module = module.path
	s.APIVersion = cmp.Or(s.APIVersion, APIVersion)
	s.Kind = cmp.Or(s.Kind, "Service")
	defaultName(d, s, module)
	newChecker(d, s).all()
	defaultMain(d, s, module)
	if !d.has(at("platforms")) || len(s.Platforms) == 0 {
		s.Platforms = []string{"linux/" + runtime.GOARCH}
	}
	s.Image.User = cmp.Or(s.Image.User, "65532:65532")
	defaultDeploy(d, s)
	defaultStages(s)
	defaultIntegration(d, s)
	defaultRelease(d, s)
	if problems := d.problems.sorted(); len(problems) > 0 {
		return nil, problems
	}
	return s, nil
}

// goModule is what the defaults need of a go.mod.
type goModule struct {
	dir, path    string
	line, column int
}

func (m *goModule) file() string { return display(filepath.Join(m.dir, "go.mod")) }

// read reads the go.mod; one that is not there leaves the path empty.
func (m *goModule) read() Problems {
	m.line, m.column = 1, 1
	problem := func(line, column int, err error) Problems {
		return Problems{{m.file(), max(1, line), max(1, column), err.Error() + "; expected a go.mod as the go command reads it"}}
	}
	data, err := os.ReadFile(filepath.Join(m.dir, "go.mod"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return problem(1, 1, err)
	}
	file, err := modfile.ParseLax("go.mod", data, nil)
	var list modfile.ErrorList
	if errors.As(err, &list) && len(list) > 0 {
		return problem(list[0].Pos.Line, list[0].Pos.LineRune, list[0].Err)
	}
	if err != nil || file.Module == nil {
		return problem(1, 1, cmp.Or(err, errors.New("no module directive")))
	}
	m.path = file.Module.Mod.Path
	m.line, m.column = file.Module.Syntax.Start.Line, file.Module.Syntax.Start.LineRune
	return nil
}

// note adds a problem that no value of pipeline.yaml is the reason of: it
// stands at the beginning of that file, or at the module directive of go.mod.
func (m *goModule) note(d *decoder, format string, args ...any) {
	if d.file != "" {
		d.problem(&yaml.Node{}, format, args...)
		return
	}
	d.problems = append(d.problems, Problem{m.file(), m.line, m.column, fmt.Sprintf(format, args...)})
}

func defaultName(d *decoder, s *Service, m *goModule) {
	if d.has(at("name")) {
		return
	}
	from := cmp.Or(s.Module, filepath.ToSlash(s.Dir))
	s.Name = base(from)
	if !d.matches(labelPattern, s.Name) {
		m.note(d, "no name of a service can be made from %q; expected the key name in %s", from, FileName)
	}
}

func defaultMain(d *decoder, s *Service, m *goModule) {
	if d.has(at("main")) {
		checkMain(d, s)
		return
	}
	if s.Module == "" {
		return
	}
	found, several := mainPackage(s.Dir, moduleBase(s.Module), base(s.Module))
	s.Main = found
	if len(several) > 0 {
		m.note(d, "several main packages: %s; expected the key main in %s to name one of them", strings.Join(several, ", "), FileName)
	}
}

// moduleBase returns the last element of a module path as it is written,
// without a major version.
func moduleBase(module string) string {
	dir, last := path.Split(module)
	if dir != "" && isMajor(last, "v") {
		return path.Base(dir)
	}
	return last
}

// checkMain checks the key main and writes it as the go command wants it.
func checkMain(d *decoder, s *Service) {
	if s.Main == "" {
		return
	}
	n := d.node(at("main"))
	clean := path.Clean(s.Main)
	full := filepath.Join(s.Dir, filepath.FromSlash(clean))
	switch {
	case !filepath.IsLocal(clean):
		d.problem(n, "%q leaves the service's folder; expected a package below it such as ./cmd/%s", s.Main, cmp.Or(s.Name, "NAME"))
	case !isFolder(full):
		d.problem(n, "%q: no such folder; expected the folder of a main package%s", s.Main, among(mainPackages(s.Dir)))
	case !isMain(full):
		d.problem(n, "%q is no main package; expected one%s", s.Main, among(mainPackages(s.Dir)))
	}
	s.Main = clean
	if clean != "." {
		s.Main = "./" + clean
	}
}

func among(packages []string) string {
	if len(packages) == 0 {
		return ""
	}
	return ": " + list(packages)
}

func defaultDeploy(d *decoder, s *Service) {
	if !d.has(at("chart")) && (!d.has(at("manifests")) || s.Manifests == "") {
		s.Chart = firstFolder(s.Dir, "deploy/chart", "chart")
	}
	if !d.has(at("manifests")) && s.Chart == "" {
		s.Manifests = firstFolder(s.Dir, "deploy/k8s")
	}
	s.Uninstalled = d.has(at("chart")) && d.has(at("manifests")) && s.Chart == "" && s.Manifests == ""
}

// firstFolder returns the first of the folders that is there, or "".
func firstFolder(dir string, folders ...string) string {
	i := slices.IndexFunc(folders, func(f string) bool { return isFolder(filepath.Join(dir, filepath.FromSlash(f))) })
	if i < 0 {
		return ""
	}
	return folders[i]
}

// defaultStages makes an entry for each built-in stage. A stage that is
// replaced by a command has no settings of its own.
func defaultStages(s *Service) {
	if s.Stages == nil {
		s.Stages = map[string]Stage{}
	}
	for _, name := range Builtin() {
		stage := s.Stages[name]
		switch {
		case stage.Command != nil:
		case name == "build":
			yes := true
			stage.Generate = cmp.Or(stage.Generate, &yes)
			stage.Stamp = cmp.Or(stage.Stamp, "main.version")
		case name == "module":
			stage.Stop = cmp.Or(stage.Stop, 10*time.Second)
		case name == "bench":
			stage.Count = cmp.Or(stage.Count, 1)
			stage.BenchTime = cmp.Or(stage.BenchTime, "1s")
		}
		s.Stages[name] = stage
	}
}

func defaultIntegration(d *decoder, s *Service) {
	in := &s.Integration
	in.Ready = cmp.Or(in.Ready, 2*time.Minute)
	in.Cluster.Provider = cmp.Or(in.Cluster.Provider, "kind")
	if in.Cluster.Provider == "kind" {
		in.Cluster.Name = cmp.Or(in.Cluster.Name, "pipeline")
	}
	for i := range in.With {
		w := &in.With[i]
		p := at("integration", "with").index(i)
		if d.has(p.key("name")) {
			continue
		}
		w.Name = releaseName(cmp.Or(w.Chart, w.Manifests, w.Service))
		if w.Name != "" && !d.matches(labelPattern, w.Name) {
			d.problem(d.node(p), "no name of a release can be made from %q; expected the key name", cmp.Or(w.Chart, w.Manifests, w.Service))
		}
	}
}

// releaseName returns the last element of a path or reference without tag,
// digest and extension.
func releaseName(from string) string {
	if from == "" {
		return ""
	}
	name, _, _ := strings.Cut(path.Base(path.Clean(from)), "@")
	name, _, _ = strings.Cut(name, ":")
	for _, ext := range []string{".tgz", ".yaml", ".yml"} {
		name = strings.TrimSuffix(name, ext)
	}
	return strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
}

func defaultRelease(d *decoder, s *Service) {
	r := &s.Release
	r.Branch = cmp.Or(r.Branch, "main")
	if r.Programs && s.Main == "" {
		d.problem(d.node(at("release", "programs")), "a library has no programs; expected the key main to name one")
	}
	if !d.has(at("release", "tagPrefix")) {
		r.TagPrefix = "v"
		if repository(s.Dir) != s.Dir {
			r.TagPrefix = s.Name + "/v"
		}
	}
	if d.has(at("release", "require")) {
		if r.Programs && !slices.Contains(r.Require, "build") {
			r.Require = append(r.Require, "build") // whose verdict speaks of them
		}
		return
	}
	for _, name := range stagesOf(s) {
		if name != "bench" {
			r.Require = append(r.Require, name)
		}
	}
}
