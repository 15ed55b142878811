package config

import (
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// checker looks at what a single value cannot tell: references, paths, and
// settings that exclude each other.
type checker struct {
	places
	s     *Service
	known map[string]bool // names of all stages
}

func newChecker(d *decoder, s *Service) *checker {
	c := &checker{places: places{d, s.Dir, repository(s.Dir)}, s: s, known: map[string]bool{}}
	for _, name := range stagesOf(s) {
		c.known[name] = true
	}
	return c
}

func (c *checker) all() {
	c.image()
	for _, name := range sortedKeys(c.s.Stages) {
		c.stage(name, c.s.Stages[name])
	}
	c.cycles()
	c.integration()
	c.platforms()
	c.distinct(at("trust"), c.s.Trust)
	for i, name := range c.s.Release.Require {
		c.reference(at("release", "require").index(i), name, false)
	}
	if c.has(at("chart")) && c.has(at("manifests")) && c.s.Chart != "" && c.s.Manifests != "" {
		c.problem(c.keys[at("manifests")], "manifests beside chart; expected only one of them")
	}
	c.paths()
}

// at returns the path of a key below others.
func at(keys ...string) (p where) {
	for _, key := range keys {
		p = p.key(key)
	}
	return p
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// distinct notes elements that are there twice; zero values stand for those
// that are noted already.
func (d *decoder) distinct(p where, elements []string) {
	for i, e := range elements {
		if e != "" && e != "0" && slices.Contains(elements[:i], e) {
			d.problem(d.node(p.index(i)), "%q is there a second time; expected each once", e)
		}
	}
}

func (c *checker) image() {
	c.program(at("image", "builder"), c.s.Image.Builder)
	ports := make([]string, len(c.s.Image.Ports))
	for i, port := range c.s.Image.Ports {
		ports[i] = strconv.Itoa(port)
	}
	c.distinct(at("image", "ports"), ports)
}

// platforms notes a list that no image can be made for.
func (c *checker) platforms() {
	c.distinct(at("platforms"), c.s.Platforms)
	if len(c.s.Platforms) > 0 && len(c.s.ImagePlatforms()) == 0 && !slices.Contains(c.s.Platforms, "") {
		c.problem(c.node(at("platforms")), "no image can be made for %s; expected one of Linux beside it", list(c.s.Platforms))
	}
}

// program notes a command without a program.
func (c *checker) program(p where, command []string) {
	if c.has(p) && resolved(c.node(p)).Kind == yaml.SequenceNode && (len(command) == 0 || strings.TrimSpace(command[0]) == "") {
		c.problem(c.node(p), "a command without a program; expected a list such as [make, test]")
	}
}

// stage checks one entry of stages.
func (c *checker) stage(name string, s Stage) {
	p := at("stages", name)
	key := c.keys[p]
	builtin := slices.Contains(Builtin(), name)
	if !builtin && !c.has(p.key("command")) {
		hint := ""
		if near := nearest(name, Builtin()); near != "" {
			hint = " (did you mean " + strconv.Quote(near) + "?)"
		}
		c.problem(key, "the new stage %q has no command%s; expected a command, or one of %s", name, hint, list(Builtin()))
	}
	c.program(p.key("command"), s.Command)
	c.scope(p, name, builtin)
	if s.Waive != nil {
		for _, key := range []string{"reason", "until"} {
			if !c.has(p.key("waive").key(key)) {
				c.problem(c.node(p.key("waive")), "a waiver without %s; expected a reason and the date until which it holds", key)
			}
		}
	}
	for key, names := range map[string][]string{"needs": s.Needs, "after": s.After} {
		c.distinct(p.key(key), names)
		for i, other := range names {
			c.reference(p.key(key).index(i), other, true)
		}
	}
	c.globs(p.key("inputs"), s.Inputs)
	for key, files := range map[where][]string{
		p.key("outputs"):                    s.Outputs,
		p.key("reports").key("junit"):       s.Reports.JUnit,
		p.key("reports").key("cobertura"):   s.Reports.Cobertura,
		p.key("reports").key("codequality"): s.Reports.CodeQuality,
	} {
		c.globs(key, files)
	}
}

// scope notes the settings that belong to another stage, or that a command has
// no use for.
func (c *checker) scope(p where, name string, builtin bool) {
	replaced := c.has(p.key("command"))
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Stage]()) {
		owner := f.Tag.Get("stage")
		key := c.keys[p.key(f.Tag.Get("yaml"))]
		switch {
		case owner == "" || key == nil:
		case owner != name:
			c.problem(key, "the stage %q has no setting %q; expected it under %s, or one of %s",
				name, key.Value, owner, list(settings(name, replaced)))
		case builtin && replaced:
			c.problem(key, "the command replaces the built-in stage %q, which alone knows %q; expected only one of the two", name, key.Value)
		}
	}
}

// settings returns the keys that a stage knows.
func settings(stage string, command bool) []string {
	var keys []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Stage]()) {
		if owner := f.Tag.Get("stage"); owner == "" || owner == stage && !command {
			keys = append(keys, f.Tag.Get("yaml"))
		}
	}
	return keys
}

// stagesOf returns the names of all stages: the built-in ones, then the others.
func stagesOf(s *Service) []string {
	names := Builtin()
	for _, name := range sortedKeys(s.Stages) {
		if !slices.Contains(names[:len(Builtin())], name) {
			names = append(names, name)
		}
	}
	return names
}

// reference checks the name of a stage; that of another service, which is not
// known here, only by its form.
func (c *checker) reference(p where, name string, foreign bool) {
	if name == "" || c.known[name] {
		return // no stage at all is noted already
	}
	service, stage, ok := strings.Cut(name, "/")
	if foreign && ok && c.matches(labelPattern, service) && c.matches(labelPattern, stage) {
		return
	}
	names := stagesOf(c.s)
	hint := ""
	if near := nearest(name, names); near != "" {
		hint = " (did you mean " + strconv.Quote(near) + "?)"
	}
	expected := list(names[:min(len(names), 40)])
	if foreign {
		expected += ", or SERVICE/STAGE"
	}
	c.problem(c.node(p), "unknown stage %q%s; expected %s", name, hint, expected)
}

// globs checks patterns of files that must lie below the folder they are
// relative to.
func (c *checker) globs(p where, patterns []string) {
	for i, pattern := range patterns {
		n := c.node(p.index(i))
		clean := path.Clean(pattern)
		switch _, err := path.Match(pattern, ""); {
		case pattern == "":
		case err != nil:
			c.problem(n, "%q is no pattern; expected a glob such as testdata/*.json", pattern)
		case path.IsAbs(pattern) || clean == ".." || strings.HasPrefix(clean, "../"):
			c.problem(n, "%q leaves the folder; expected a relative path below it", pattern)
		}
	}
}

// integration checks what the service is installed with.
func (c *checker) integration() {
	for i := range c.s.Integration.With {
		p := at("integration", "with").index(i)
		n := 0
		for _, key := range []string{"chart", "manifests", "service"} {
			if c.has(p.key(key)) {
				n++
			}
		}
		if n != 1 {
			c.problem(c.node(p), "%d of chart, manifests and service; expected exactly one of them", n)
		}
	}
	p := at("integration", "cluster")
	provider := c.s.Integration.Cluster.Provider
	for key, owner := range map[string]string{"name": "kind", "nodeImage": "kind", "context": "existing", "registry": "existing"} {
		if provider == "" {
			provider = "kind"
		}
		if c.has(p.key(key)) && owner != provider && (provider == "kind" || provider == "existing") {
			c.problem(c.keys[p.key(key)], "%s is no setting of the provider %s; expected it with provider: %s", key, provider, owner)
		}
	}
}
