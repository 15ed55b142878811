package scaffold

import (
	"fmt"
	"slices"
	"strings"
)

// oldLanguage is the version of Go that a new go.mod names for code from before
// modules: the last one with the loops that the code was written for. From 1.22
// on each round has variables of its own.
const oldLanguage = "1.21"

// numericUser matches the user that an image can have here.
var numericUser = pattern(`^[0-9]{1,10}(:[0-9]{1,10})?$`)

// legacy makes code from before modules buildable.
//
// A repository that lay in a GOPATH becomes the module of its import path: one
// new file, and every import goes on to mean the same. One that is a GOPATH
// itself cannot: its import paths begin below src/, so that no module at the
// top could have them. It is built as it always was, in GOPATH mode, which the
// go command still has; what that costs is said.
func (t *translation) legacy() {
	old := t.f.Legacy
	if old == nil {
		return
	}
	if old.Layout == Workspace {
		t.workspace(old)
		return
	}
	t.found("Go code without go.mod, import path %s", old.ImportPath)
	t.goMod = moduleFile(old)
	for _, r := range old.Requires {
		if !release().MatchString(r.Version) && old.uses(r.Path) {
			t.next("go get %s@%s", r.Path, r.Version)
		}
	}
	if len(old.Foreign) > 0 {
		t.missing("go.sum", "the code imports %s, and today's go command wants checksums of what it uses: run `go mod tidy` once where there is a network (and `go mod vendor`, to go on without one)", examples(old.Foreign))
		t.next("go mod tidy")
		if len(old.Vendored) > 0 {
			t.next("go mod vendor")
		}
	}
}

// examples lists the first of many.
func examples(list []string) string {
	if len(list) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:3], ", "), len(list)-3)
	}
	return strings.Join(list, ", ")
}

// release matches a version that go.mod can name; majors from 2 on are marked,
// because the module has no go.mod that says it.
var release = pattern(`^v([0-9]+)\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)

// uses reports whether the code imports something of a repository.
func (old *Legacy) uses(repository string) bool {
	return slices.ContainsFunc(old.Foreign, func(p string) bool { return p == repository || strings.HasPrefix(p, repository+"/") })
}

// moduleFile returns a go.mod with the releases that were pinned.
func moduleFile(old *Legacy) string {
	var b strings.Builder
	fmt.Fprintf(&b, "module %s\n\ngo %s\n", old.ImportPath, oldLanguage)
	var lines []string
	for _, r := range old.Requires {
		match := release().FindStringSubmatch(r.Version)
		if match == nil || !old.uses(r.Path) {
			continue
		}
		line := "\t" + r.Path + " " + r.Version
		if match[1] != "0" && match[1] != "1" && !strings.HasPrefix(r.Path, "gopkg.in/") {
			line += "+incompatible"
		}
		lines = append(lines, line+"\n")
	}
	if len(lines) > 0 {
		fmt.Fprintf(&b, "\nrequire (\n%s)\n", strings.Join(lines, ""))
	}
	return b.String()
}

// gopathMode is what a command needs to build in a repository that is a GOPATH.
// GOFLAGS of a user are for modules.
const gopathMode = `export GO111MODULE=off GOPATH="$PWD" GOFLAGS=-buildvcs=false`

// workspace replaces the stages that would ask for a module.
func (t *translation) workspace(old *Legacy) {
	t.found("Go code without go.mod in a repository that is a GOPATH (src/%s)", old.ImportPath)
	t.missing("a Go module", "import paths begin below src/, so that no go.mod at the top would find them: the stages build in GOPATH mode, which Go still has. "+
		"It takes the defaults of the oldest Go, TLS 1.0 among them, the bill of materials names no modules, and a version is not proven by the Go interface. "+
		"To move on: `go mod init %s` in src/%s, then drop the commands", old.ImportPath, old.ImportPath)
	if t.main != "" {
		t.stages["build"] = &stage{script: buildScript(t.name, strings.TrimPrefix(t.main, "src/")), inputs: []string{"src"}, outputs: []string{"build.json"}}
	}
	short := "" // tests that ask for an address need a running service
	if slices.ContainsFunc(t.f.Tests, func(p TestPackage) bool { return len(p.Flags) > 0 }) {
		short = "-short "
	}
	t.stages["unit"] = &stage{script: gopathMode + "\ngo test " + short + "./src/...\n"}
	t.stages["lint"] = &stage{script: gopathMode + "\ngo vet ./src/...\n"}
	t.stages["bench"] = &stage{script: gopathMode + "\ngo test -run '^$' -bench . ./src/...\n"}
}

// buildScript builds the program in GOPATH mode and says so in the form of the
// build stage, for this machine's architecture.
func buildScript(name, importPath string) string {
	return gopathMode + " CGO_ENABLED=0 GOOS=linux\n" +
		`arch="$(go env GOARCH)"` + "\n" +
		`go build -trimpath -ldflags "-s -w -X main.version=$PIPELINE_VERSION" -o "$PIPELINE_OUT/linux_$arch/` + name + `" ` + shellWord(importPath) + "\n" +
		`echo "{\"name\":\"` + name + `\",\"binaries\":[{\"platform\":\"linux/$arch\"}]}" > "$PIPELINE_OUT/build.json"` + "\n"
}
