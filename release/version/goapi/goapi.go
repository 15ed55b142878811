// Package goapi proves what a change of a Go module means to those who import
// it: Load reads the exported interface of a module from a folder, Compare
// tells how two of them differ.
//
// The interface is what an importer can name or reach: the exported names of
// all packages but main and internal ones, tests, and modules nested below, on
// each of some platforms; and the types that these names lead to, wherever they
// are declared. Load type-checks the declarations from source, without function
// bodies and without imports that only bodies use. So nothing is compiled, a
// platform costs no compiled standard library, and no cache is filled.
//
// Compare leaves the rules of compatibility to golang.org/x/exp/apidiff and adds
// those that it does not have: constraints, type sets, packages, the module
// path, the go directive, dependencies that show. What both leave out, as the
// Go 1 compatibility promise does: names that collide in a type which embeds
// one of ours, unsafe.Sizeof, two types that become one in a type switch, and
// conversions between struct types that happen to be alike.
package goapi

import (
	"errors"
	"fmt"
	"go/types"
	"path"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"golang.org/x/mod/module"
)

// ErrNoModule says that a folder has no go.mod: it has no Go interface.
var ErrNoModule = errors.New("no go.mod")

// Platform is an operating system and a processor, as in GOOS and GOARCH.
type Platform struct{ OS, Arch string }

func (p Platform) String() string { return p.OS + "/" + p.Arch }

// DefaultPlatforms returns those that Load looks at unless told otherwise: the
// systems and word orders that most importers build for.
func DefaultPlatforms() []Platform {
	return []Platform{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "arm64"}, {"windows", "amd64"}}
}

// Options choose what of a module is looked at.
type Options struct {
	// Platforms are those to look at; none means DefaultPlatforms.
	Platforms []Platform
	// Tags are build tags that hold on all of them. cgo always holds.
	Tags []string
}

// API is the exported interface of a module.
type API struct {
	// Module is the module path.
	Module string
	// Go is the go directive: "1.26.0"; empty without one.
	Go string

	views map[Platform]*view
	// unkeyed are the struct types that the module's own external tests build
	// without naming fields: "rel/path.Type".
	unkeyed map[string]bool
}

// view is the interface on one platform, or on several that see the same files.
type view struct {
	// packages are the importable ones by path relative to the module; "" is its root.
	packages map[string]*types.Package
	// module and version tell of each package that was looked at where it comes
	// from; the standard library has no module.
	module, version map[string]string
	// err says why the module cannot be imported on this platform.
	err error
}

// Packages returns the import paths of the packages that can be imported on at
// least one platform, sorted.
func (a *API) Packages() []string {
	var list []string
	for _, v := range a.views {
		for rel := range v.packages {
			list = append(list, path.Join(a.Module, rel))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// platforms returns those of the API, sorted.
func (a *API) platforms() []Platform {
	var list []Platform
	for p := range a.views {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b Platform) int { return strings.Compare(a.String(), b.String()) })
	return list
}

// importable reports whether another module can import a package of this one.
func importable(name, importPath string) bool {
	return name != "main" && !slices.Contains(strings.Split(importPath, "/"), "internal")
}

// relative returns an import path relative to its module.
func relative(module, importPath string) string {
	return strings.TrimPrefix(strings.TrimPrefix(importPath, module), "/")
}

// PathError says that a module path does not fit to a major version: `go get`
// would refuse a release of it.
type PathError struct {
	Path  string
	Major uint64
	Want  string // the path that fits
}

func (e *PathError) Error() string {
	return fmt.Sprintf("version %d of module %s cannot be imported: from version 2 on the path has the major version at its end; set `module %s` in go.mod and in the imports",
		e.Major, e.Path, e.Want)
}

// within reports whether an import path lies in a module, by its name.
func within(module, importPath string) bool {
	return importPath == module || strings.HasPrefix(importPath, module+"/")
}

// baseName returns what a package of that path is called unless it says
// otherwise: the last element that is no major version.
func baseName(importPath string) string {
	base := path.Base(importPath)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" {
		base = path.Base(path.Dir(importPath))
	}
	return base
}

// CheckVersion returns a *PathError when the module's path does not fit to a
// release with that major version.
func (a *API) CheckVersion(v *semver.Version) error { return checkPath(a.Module, v.Major()) }

// checkPath: go.dev/ref/mod, "Major version suffixes".
func checkPath(modulePath string, major uint64) error {
	prefix, suffix, ok := module.SplitPathVersion(modulePath)
	want := prefix
	if strings.HasPrefix(prefix, "gopkg.in/") {
		want = fmt.Sprintf("%s.v%d", prefix, major)
	} else if major > 1 {
		want = fmt.Sprintf("%s/v%d", prefix, major)
	}
	if ok && (want == modulePath || strings.HasPrefix(suffix, fmt.Sprintf(".v%d-", major))) {
		return nil
	}
	return &PathError{Path: modulePath, Major: major, Want: want}
}
