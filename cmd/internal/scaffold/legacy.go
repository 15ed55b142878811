package scaffold

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"
)

// legacy finds out how code without a go.mod is laid out.
func (l *looker) legacy(folders map[string]*goFolder) {
	imports := map[string]bool{}
	for _, f := range folders {
		maps.Copy(imports, f.imports)
	}
	old := &Legacy{}
	l.facts.Legacy = old
	l.dependencies(old)
	l.importPath(old, folders, imports)
	for _, dir := range l.vendored {
		if !strings.Contains(dir, "/testdata/") {
			old.Vendored = append(old.Vendored, dir)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(imports)) {
		if old.foreign(p, folders) {
			old.Foreign = append(old.Foreign, p)
		}
	}
}

// importPath decides between the layouts. Imports of the repository's own
// packages tell; without any, a Makefile that sets GOPATH.
func (l *looker) importPath(old *Legacy, folders map[string]*goFolder, imports map[string]bool) {
	below := 0
	votes := map[string]int{}
	for p := range imports {
		if folders["src/"+p] != nil {
			below++
			continue
		}
		for dir := range folders {
			if prefix, ok := strings.CutSuffix(p, "/"+dir); ok && strings.Contains(prefix, ".") && !l.isVendored(p) {
				votes[prefix]++
			}
		}
	}
	most := ""
	for _, p := range slices.Sorted(maps.Keys(votes)) {
		if votes[p] > votes[most] {
			most = p
		}
	}
	f := l.facts
	workspace := below > 0 && below >= votes[most]
	if below == 0 && most == "" && f.Makefile != nil && len(f.below("src")) > 0 {
		workspace = setsGOPATH().MatchString(l.read(f.Makefile.Path))
	}
	if workspace {
		old.Layout = Workspace
		if i := slices.IndexFunc(f.Mains, func(m string) bool { return strings.HasPrefix(m, "src/") }); i >= 0 {
			old.ImportPath = strings.TrimPrefix(f.Mains[i], "src/")
		}
		return
	}
	docker := ""
	if f.Dockerfile != nil {
		docker = f.Dockerfile.ImportPath
	}
	old.Layout = Package
	old.ImportPath = cmp.Or(most, old.ImportPath, docker, f.Remote, path.Base(f.Dir))
}

// setsGOPATH matches an assignment in a Makefile.
var setsGOPATH = pattern(`(?m)\bGOPATH\s*[:?]?=`)

// isVendored reports whether a vendor folder has the package.
func (l *looker) isVendored(p string) bool {
	return slices.ContainsFunc(l.vendored, func(dir string) bool {
		_, err := l.root.Stat(path.Join(dir, p))
		return err == nil
	})
}

// foreign reports whether an import path is of another repository: packages of
// Go itself have no dot in the first element.
func (old *Legacy) foreign(p string, folders map[string]*goFolder) bool {
	first, _, _ := strings.Cut(p, "/")
	own := folders["src/"+p] != nil || p == old.ImportPath || strings.HasPrefix(p, old.ImportPath+"/")
	return strings.Contains(first, ".") && !own
}
