package scaffold

import (
	"encoding/json"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// dependencies reads what the package managers before modules have pinned: the
// first of them that is there.
func (l *looker) dependencies(old *Legacy) {
	for _, manager := range []struct {
		name, file string
		read       func(*Legacy, string) error
	}{
		{"dep", "Gopkg.lock", readDep},
		{"glide", "glide.lock", readGlide},
		{"godep", "Godeps/Godeps.json", readGodep},
	} {
		if !l.facts.has(manager.file) {
			continue
		}
		old.Manager = manager.name
		if err := manager.read(old, l.read(manager.file)); err != nil {
			l.unread(manager.file, err)
		}
		break
	}
	l.govendor(old)
	if name := "glide.yaml"; l.facts.has(name) {
		var glide struct{ Package string }
		if err := yaml.Unmarshal([]byte(l.read(name)), &glide); err != nil {
			l.unread(name, err)
		}
		old.ImportPath = glide.Package
	}
	slices.SortFunc(old.Requires, func(a, b Require) int { return strings.Compare(a.Path, b.Path) })
	old.Requires = slices.CompactFunc(old.Requires, func(a, b Require) bool { return a.Path == b.Path })
}

// dep's lock is TOML; of it, the lines of a project that matter have one form.
var (
	depProject = pattern(`(?m)^\[\[projects\]\]$`)
	depValue   = pattern(`(?m)^\s*(name|version|revision)\s*=\s*"([^"]*)"`)
)

func readDep(old *Legacy, text string) error {
	blocks := depProject().Split(text, -1)
	for _, block := range blocks[1:] {
		values := map[string]string{}
		for _, m := range depValue().FindAllStringSubmatch(block, -1) {
			values[m[1]] = m[2]
		}
		old.require(values["name"], values["version"], values["revision"])
	}
	return nil
}

func readGlide(old *Legacy, text string) error {
	var lock struct {
		Imports, TestImports []struct{ Name, Version string }
	}
	err := yaml.Unmarshal([]byte(text), &lock)
	for _, i := range slices.Concat(lock.Imports, lock.TestImports) {
		old.require(i.Name, i.Version)
	}
	return err
}

func readGodep(old *Legacy, text string) error {
	var lock struct {
		ImportPath string
		Deps       []struct{ ImportPath, Comment, Rev string }
	}
	err := json.Unmarshal([]byte(text), &lock)
	old.ImportPath = lock.ImportPath
	for _, d := range lock.Deps {
		old.require(repositoryOf(d.ImportPath), d.Comment, d.Rev)
	}
	return err
}

// govendor keeps its list inside of a vendor folder, which is not walked.
func (l *looker) govendor(old *Legacy) {
	for _, dir := range l.vendored {
		data, err := l.root.ReadFile(path.Join(dir, "vendor.json"))
		if err != nil || old.Manager != "" || len(data) > maxFile {
			continue
		}
		var lock struct {
			RootPath string
			Package  []struct{ Path, Revision, Version string }
		}
		if err := json.Unmarshal(data, &lock); err != nil {
			l.unread(path.Join(dir, "vendor.json"), err)
			continue
		}
		old.Manager, old.ImportPath = "govendor", lock.RootPath
		for _, p := range lock.Package {
			old.require(repositoryOf(p.Path), p.Version, p.Revision)
		}
	}
}

// require adds a dependency with the first version that is there; those with
// nothing, or with text that go.mod would not take, are left out.
func (old *Legacy) require(name string, versions ...string) {
	i := slices.IndexFunc(versions, func(v string) bool { return v != "" })
	if i < 0 || !importPath().MatchString(name) || !version().MatchString(versions[i]) {
		return
	}
	old.Requires = append(old.Requires, Require{Path: name, Version: versions[i]})
}

var (
	importPath = pattern(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+(/[A-Za-z0-9_.~-]+)*$`)
	version    = pattern(`^[A-Za-z0-9_.+/-]+$`)
)

// repositoryOf returns the first three elements of a path at the well-known
// hosts, where a repository has two.
func repositoryOf(p string) string {
	parts := strings.Split(p, "/")
	switch parts[0] {
	case "github.com", "gitlab.com", "bitbucket.org", "golang.org":
		return strings.Join(parts[:min(3, len(parts))], "/")
	}
	return p
}
