package scaffold

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// aliases are the names under which people have the target of a stage; the
// first that is there counts.
func aliases(kind string) []string {
	return map[string][]string{
		"unit":        {"utest", "unit-test", "test-unit", "unittest", "unit", "test"},
		"module":      {"mtest", "module-test", "test-module"},
		"integration": {"itest", "integration-test", "test-integration", "integration"},
		"lint":        {"lint"},
		"bench":       {"bench", "benchmark"},
	}[kind]
}

// makefile wires the targets that do what a stage does. Where the tests follow
// the conventions, the built-in stages run them and say more.
func (t *translation) makefile() {
	if t.f.Makefile == nil {
		return
	}
	t.found("%s: %s", t.f.Makefile.Path, strings.Join(slices.Sorted(maps.Keys(t.f.Makefile.Targets)), ", "))
	for _, kind := range []string{"unit", "module", "integration", "lint", "bench"} {
		for _, name := range aliases(kind) {
			if target, ok := t.f.Makefile.target(name); ok {
				t.wire(kind, name, target)
				break
			}
		}
	}
}

// wire decides what becomes of one target.
func (t *translation) wire(kind, name string, target Target) {
	switch kind {
	case "module", "integration":
		if !t.f.tagged(kind) && !target.callsPipeline() && t.main != "" {
			t.fromOutside(kind, name, target)
		}
	default:
		if !target.callsPipeline() && !t.builtinDoes(kind, name, target) {
			t.stages[kind] = t.make(name)
		}
	}
}

// make is a stage that runs a target.
func (t *translation) make(name string) *stage {
	if t.f.Legacy != nil && t.f.Legacy.Layout == Workspace {
		return &stage{script: gopathMode + "\nmake " + shellWord(name) + "\n"}
	}
	return &stage{command: []string{"make", name}}
}

// narrow matches flags that choose among tests: without them the built-in stage
// would run others, too.
var narrow = pattern(`(^|\s)-{1,2}(test\.)?(short|run|tags|skip)\b`)

// builtinDoes reports whether the built-in stage does the same, and more.
func (t *translation) builtinDoes(kind, name string, target Target) bool {
	if kind == "lint" {
		if dead := target.uses("golint", "gometalinter", "gometalinter.v1", "gometalinter.v2"); dead != "" {
			t.missing("make "+name, "it calls %s, which is not kept any more: the stage lint runs go vet and staticcheck in its place", dead)
			return true
		}
	}
	if t.f.Legacy != nil && t.f.Legacy.Layout == Workspace || !t.f.isGo() {
		return false
	}
	switch kind {
	case "lint":
		return onlyCalls(target, "go vet", "staticcheck", "go tool staticcheck")
	case "bench":
		return onlyCalls(target, "go test")
	}
	if t.f.tagged("module") || t.f.tagged("integration") {
		return true
	}
	if !onlyCalls(target, "go test", "go vet") || narrow().MatchString(target.text()) {
		return false
	}
	if strings.Contains(target.text(), " -race") {
		t.stages["unit"] = &stage{race: true}
	}
	return true
}

// onlyCalls reports whether each line of a recipe begins with one of the
// commands and does nothing behind it.
func onlyCalls(target Target, commands ...string) bool {
	calls := func(line string) bool {
		line = strings.NewReplacer("$(GO)", "go", "${GO}", "go").Replace(line)
		return slices.ContainsFunc(commands, func(c string) bool { return line == c || strings.HasPrefix(line, c+" ") }) && !strings.ContainsAny(line, ";|&>")
	}
	return len(target.Recipe) > 0 && !slices.ContainsFunc(target.Recipe, func(line string) bool { return !calls(line) })
}

// engines are programs that start what is tested by themselves: a target that
// calls them would test something else than the bundle.
func engines() []string {
	return []string{"docker", "docker-compose", "podman", "kubectl", "helm", "minikube", "kind", "oc", "nerdctl", "vagrant", "ssh"}
}

// fromOutside wires a target that tests the running service. The stage gives
// its address to Go tests, so a Go test calls make.
func (t *translation) fromOutside(kind, name string, target Target) {
	engine, to := target.uses(engines()...), target.address()
	at, known := t.testsOf(kind, target)
	b := bridge{kind: kind, target: name, to: to, at: at, gopath: t.f.Legacy != nil && t.f.Legacy.Layout == Workspace}
	switch {
	case engine != "" && known && len(at.Flags) > 0 && !b.gopath:
		b.direct, b.run = true, runOf(target)
		t.missing("make "+name, "it calls %s to start what it tests; the stage %s has started the bundle itself, and a test in %s runs the same tests against it", engine, kind, at.Folder)
	case engine != "":
		t.missing("make "+name, "it calls %s, so it would test something else than the bundle: write a target, or Go tests with the tag %s, that take the address of a running service", engine, kind)
		return
	case to.empty():
		t.missing("the address of `make "+name+"`", "it takes none, so it cannot test the bundle: it runs as a stage of its own, %s; the stage %s asks for tests with the tag %s", name, kind, kind)
		own := t.make(name)
		own.after = []string{"build"}
		t.stages[labelOf(name)] = own
		return
	}
	if !known {
		b.at = TestPackage{Folder: "test/" + kind, Package: kind + "_test"}
	}
	t.bridges = append(t.bridges, b)
	if b.gopath && t.goMod == "" {
		t.goMod = bridgeModule(t.name)
	}
}

// testsOf returns the package with the tests that a target runs: it is named in
// the recipe, or it alone has flags for an address.
func (t *translation) testsOf(kind string, target Target) (TestPackage, bool) {
	var candidates []TestPackage
	for _, p := range t.f.Tests {
		if p.Tag == "" && len(p.Flags) > 0 && t.compiles(p) {
			candidates = append(candidates, p)
		}
	}
	for _, p := range candidates {
		if named(target, p.Folder) || named(target, strings.TrimPrefix(p.Folder, "src/")) {
			return p, true
		}
	}
	if len(candidates) == 1 {
		return candidates[0], true
	}
	return TestPackage{}, false
}

// named reports whether a recipe names a folder as a package.
func named(target Target, folder string) bool {
	return regexp.MustCompile(`(^|[\s/])` + regexp.QuoteMeta(folder) + `(/\.\.\.)?/?($|[\s;&|)])`).MatchString(target.text())
}

// compiles reports whether a package with another test in it can be compiled
// as part of a module: in a repository that is a GOPATH, its own import paths
// lead nowhere.
func (t *translation) compiles(p TestPackage) bool {
	if t.f.Legacy == nil || t.f.Legacy.Layout != Workspace {
		return true
	}
	return !slices.ContainsFunc(p.Imports, func(path string) bool {
		return strings.Contains(strings.Split(path, "/")[0], ".") || len(t.f.below("src/"+path)) > 0
	})
}

// runOf returns the tests that a recipe chooses by -run, empty for all.
func runOf(target Target) string {
	match := regexp.MustCompile(`\s-{1,2}(?:test\.)?run[= ]\s*("[^"]*"|'[^']*'|\S+)`).FindStringSubmatch(target.text())
	if match == nil {
		return ""
	}
	return strings.ReplaceAll(unquote(match[1]), "$$", "$")
}
