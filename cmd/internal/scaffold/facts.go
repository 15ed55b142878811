package scaffold

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Facts is what Look finds in a folder. Paths are relative to Dir and have
// slashes; lists are sorted.
type Facts struct {
	Dir string `json:"dir"` // absolute
	// Below is the path of Dir in its git working copy, "." at its top, empty
	// outside of one.
	Below string `json:"below,omitempty"`
	// PartOf is the folder of the repository, above Dir, with the next go.mod.
	PartOf string `json:"partOf,omitempty"`
	// Remote is host and path of the remote origin, "gitlab.com/shop/stock".
	Remote string `json:"remote,omitempty"`
	// Module is the path in go.mod.
	Module string `json:"module,omitempty"`
	// Services are the folders directly below with a go.mod or pipeline.yaml.
	Services []string `json:"services,omitempty"`
	// Neighbours is what the module paths of Services have in common, the
	// folder of the first.
	Neighbours string `json:"neighbours,omitempty"`
	// Legacy is set for Go code without a go.mod.
	Legacy *Legacy `json:"legacy,omitempty"`
	// Mains are the folders of main packages: ".", "cmd/stock".
	Mains []string `json:"mains,omitempty"`
	// Tests are the packages with tests.
	Tests []TestPackage `json:"tests,omitempty"`

	Makefile    *Makefile   `json:"makefile,omitempty"`
	Dockerfile  *Dockerfile `json:"dockerfile,omitempty"`
	Manifests   *Manifests  `json:"manifests,omitempty"`
	Charts      []Chart     `json:"charts,omitempty"`
	Protos      []string    `json:"protos,omitempty"`
	Descriptors []string    `json:"descriptors,omitempty"`
	// GRPCHealth says that the code imports the health service of gRPC.
	GRPCHealth bool `json:"grpcHealth,omitempty"`

	// CI is the content of the .gitlab-ci.yml that GitLab reads: the one at the
	// top of the repository.
	CI string `json:"-"`
	// Config is the content of pipeline.yaml.
	Config string `json:"-"`
	// Files are the regular files and links of the folder, those of vendor
	// folders, hidden folders and testdata not included.
	Files []string `json:"-"`
	// Unread are files that could not be understood, with the reason.
	Unread []string `json:"unread,omitempty"`
}

// Layout is how Go code without modules is laid out.
type Layout string

const (
	// Workspace is a repository that is a GOPATH itself: import paths begin
	// below src/.
	Workspace Layout = "workspace"
	// Package is a repository that was cloned to its import path in a GOPATH.
	Package Layout = "package"
)

// Legacy describes Go code from before modules.
type Legacy struct {
	Layout Layout `json:"layout"`
	// ImportPath is that of the repository's top folder; for a Workspace, of
	// the first main package.
	ImportPath string `json:"importPath"`
	// Manager is what the dependencies were pinned with: dep, glide, godep,
	// govendor; empty when there is no such file.
	Manager  string    `json:"manager,omitempty"`
	Requires []Require `json:"requires,omitempty"`
	// Vendored are the vendor folders.
	Vendored []string `json:"vendored,omitempty"`
	// Foreign are import paths of other repositories that the code uses.
	Foreign []string `json:"foreign,omitempty"`
}

// Require is a pinned dependency.
type Require struct {
	Path string `json:"path"`
	// Version is a semantic version with "v", or a revision.
	Version string `json:"version"`
}

// TestPackage is a folder with tests.
type TestPackage struct {
	Folder string `json:"folder"`
	// Package is the package clause of its test files.
	Package string `json:"package"`
	// Tag is module or integration where that tag switches tests on.
	Tag string `json:"tag,omitempty"`
	// Flags are the address flags that the tests declare: ip, port.
	Flags []string `json:"flags,omitempty"`
	// Imports are the import paths of the folder's Go files.
	Imports []string `json:"-"`
}

// Makefile is what a Makefile can be asked for.
type Makefile struct {
	Path    string            `json:"path"`
	Targets map[string]Target `json:"targets"`

	variables map[string]string
}

// Target is a rule of a Makefile.
type Target struct {
	// Recipe are its command lines as they are written.
	Recipe []string `json:"recipe"`

	expanded string // with the variables of the Makefile
}

// Dockerfile is what matters of the image that it makes.
type Dockerfile struct {
	Path string `json:"path"`
	// Base is what the last stage starts from.
	Base       string            `json:"base"`
	Ports      []int             `json:"ports,omitempty"`
	Entrypoint []string          `json:"entrypoint,omitempty"`
	Cmd        []string          `json:"cmd,omitempty"`
	User       string            `json:"user,omitempty"`
	Env        map[string]string `json:"env,omitempty"`
	// Copies are the files of the repository that the last stage takes.
	Copies []Copy `json:"copies,omitempty"`
	// Runs are the commands of the last stage.
	Runs []string `json:"runs,omitempty"`
	// ImportPath is where the build puts the sources below a GOPATH.
	ImportPath string `json:"importPath,omitempty"`
}

// Copy is one source of a COPY or ADD.
type Copy struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Manifests is a folder of Kubernetes manifests.
type Manifests struct {
	Dir string `json:"dir"`
	// Obstacles are the reasons why the integration stage cannot apply them.
	Obstacles []string  `json:"obstacles,omitempty"`
	Service   string    `json:"service,omitempty"` // name of the first Service
	Ports     []int     `json:"ports,omitempty"`   // of the Service
	Workload  *Workload `json:"workload,omitempty"`
}

// Workload is the first container of the first Deployment, StatefulSet or
// DaemonSet.
type Workload struct {
	Name  string            `json:"name"`
	Image string            `json:"image"`
	Args  []string          `json:"args,omitempty"`
	Env   map[string]string `json:"env,omitempty"`
	Ports []int             `json:"ports,omitempty"`
	// Ready is how the stage module would ask for it: grpc, tcp, http:/PATH.
	Ready     string `json:"ready,omitempty"`
	ReadyPort int    `json:"readyPort,omitempty"`
	// Needs are things that a chart made from this cannot have: volumes,
	// values from Secrets, init containers.
	Needs []string `json:"needs,omitempty"`
}

// Chart is a folder with a Chart.yaml.
type Chart struct {
	Dir  string `json:"dir"`
	Name string `json:"name"`
	// TakesImage says that its templates use image.repository.
	TakesImage bool `json:"takesImage"`
}

// has reports whether a file is there.
func (f *Facts) has(name string) bool {
	_, ok := slices.BinarySearch(f.Files, name)
	return ok
}

// below returns the files in a folder.
func (f *Facts) below(dir string) []string {
	var found []string
	for _, name := range f.Files {
		if dir == "." || strings.HasPrefix(name, dir+"/") {
			found = append(found, name)
		}
	}
	return found
}

// above returns the path of a folder of the repository that is above Dir.
func (f *Facts) above(dir string) string {
	levels := strings.Count(f.Below, "/") + 1
	if dir != "." {
		levels -= strings.Count(dir, "/") + 1
	}
	return path.Clean(path.Join(filepath.ToSlash(f.Dir), strings.Repeat("../", levels)))
}

// isGo reports whether there is any Go file.
func (f *Facts) isGo() bool {
	return slices.ContainsFunc(f.Files, func(name string) bool { return path.Ext(name) == ".go" })
}

// tagged reports whether there are tests with the tag of a stage.
func (f *Facts) tagged(tag string) bool {
	return slices.ContainsFunc(f.Tests, func(t TestPackage) bool { return t.Tag == tag })
}
