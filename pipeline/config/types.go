// Package config reads pipeline.yaml, and finds the services of a folder.
//
// Decoding is strict: an unknown key, a wrong type or an impossible value is a
// Problem with file, line and column, and all problems of a file are reported
// at once. Everything has a default; an ordinary Go service needs no file. An
// explicit empty text turns the default of a path off: `chart: ""` is a
// service without a chart even if deploy/chart is there.
//
// The types below are the schema. What cannot be said by a Go type (patterns,
// limits, descriptions) stands in one table, rules, that the decoder and the
// JSON Schema share, so that an editor and the program agree.
package config

import (
	"slices"
	"strings"
	"time"
)

// APIVersion is the version of the configuration files that this package
// reads.
const APIVersion = "pipeline/v1"

// Service is the content of a pipeline.yaml of kind Service, with defaults
// filled in.
type Service struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	// Name is the service's name: a DNS label. Default: the last element of
	// the module path.
	Name string `yaml:"name"`
	// Main is the package of the program, "./cmd/stock". Default: the root,
	// then cmd/NAME, then the only main package. Empty for a library.
	Main string `yaml:"main"`
	// Platforms are the platforms to build for, "linux/amd64". The image is made
	// for those of Linux, of which there is at least one; a program for another
	// system is for release.programs. Default: linux on this machine's
	// architecture.
	Platforms []string `yaml:"platforms"`
	API       API      `yaml:"api"`
	Image     Image    `yaml:"image"`
	Chart     string   `yaml:"chart"`     // folder; default deploy/chart, then chart, when it is there
	Manifests string   `yaml:"manifests"` // folder; default deploy/k8s when it is there and no chart
	// Stages has an entry with the defaults filled in for each built-in stage
	// (see Builtin), and one for each that the file adds.
	Stages      map[string]Stage `yaml:"stages"`
	Integration Integration      `yaml:"integration"`
	Release     Release          `yaml:"release"`
	Trust       []string         `yaml:"trust"` // public keys, paths relative to the file

	// Uninstalled says that the file has chart and manifests, both empty: a
	// program of the command line, say, is installed nowhere.
	Uninstalled bool `yaml:"-"`
	// Dir is the absolute path of the service's folder.
	Dir string `yaml:"-"`
	// File is the path of the file that was read, empty when there is none.
	File string `yaml:"-"`
	// Module is the Go module path, empty without a go.mod.
	Module string `yaml:"-"`
}

// ImagePlatforms are the platforms that the image is made for: those of Linux.
func (s *Service) ImagePlatforms() []string {
	return slices.DeleteFunc(slices.Clone(s.Platforms), func(p string) bool { return !strings.HasPrefix(p, "linux/") })
}

// API names the descriptors of the interfaces that a service offers and uses:
// binary FileDescriptorSets or OpenAPI documents, relative to the service.
type API struct {
	Provides []string `yaml:"provides"`
	Uses     []string `yaml:"uses"`
}

// Image tells what the image consists of beside the program.
type Image struct {
	// Base is a reference or the path of an OCI layout; default: scratch with
	// /etc/passwd, CA certificates, /tmp and /data.
	Base string `yaml:"base"`
	// Files maps paths in the image to files or folders of the service.
	Files map[string]string `yaml:"files"`
	// User is the numeric user of the process; default "65532:65532".
	User string `yaml:"user"`
	// Env is added to the environment of the process.
	Env map[string]string `yaml:"env"`
	// Ports are exposed.
	Ports []int `yaml:"ports"`
	// Builder is a command that writes an OCI layout to $PIPELINE_OUT/oci
	// instead of the built-in one.
	Builder []string `yaml:"builder"`
}

// Stage holds the settings of one stage. The first group applies to each; a
// setting that a stage does not know is refused: the tag `stage` names the
// built-in stage that a setting belongs to.
type Stage struct {
	Timeout time.Duration `yaml:"timeout"`
	Waive   *Waive        `yaml:"waive"`
	// Command replaces a built-in stage, or makes a new one.
	Command []string          `yaml:"command"`
	Inputs  []string          `yaml:"inputs"`  // globs relative to the service; default everything
	Outputs []string          `yaml:"outputs"` // paths below $PIPELINE_OUT that must be there afterwards
	Needs   []string          `yaml:"needs"`
	After   []string          `yaml:"after"`
	Env     map[string]string `yaml:"env"`
	Reports Reports           `yaml:"reports"`

	Coverage float64  `yaml:"coverage" stage:"unit"`  // unit: least statement coverage in percent
	CoverPkg string   `yaml:"coverpkg" stage:"unit"`  // unit: packages that every package's tests cover; default each its own
	Checks   []string `yaml:"checks" stage:"lint"`    // lint: staticcheck checks, default its own
	Race     bool     `yaml:"race" stage:"unit"`      // unit: with the race detector (needs cgo)
	Generate *bool    `yaml:"generate" stage:"build"` // build: whether `go generate` must give no diff; default true
	Stamp    string   `yaml:"stamp" stage:"build"`    // build: variable that gets the version, PACKAGE.NAME; default main.version

	Args    []string      `yaml:"args" stage:"module"`    // module: arguments of the program
	Port    int           `yaml:"port" stage:"module"`    // module: port that the program listens on
	Ready   string        `yaml:"ready" stage:"module"`   // module: "grpc", "tcp", "http:/path"
	Stop    time.Duration `yaml:"stop" stage:"module"`    // module: time to end after SIGTERM; default 10s
	Runtime string        `yaml:"runtime" stage:"module"` // module: sandbox, docker or podman; default the first that works
	DryRun  []string      `yaml:"dryRun" stage:"module"`  // module: arguments of the dry run; default --dry-run where --help names it

	Count     int    `yaml:"count" stage:"bench"`     // bench: runs of each benchmark; default 1
	BenchTime string `yaml:"benchtime" stage:"bench"` // bench: go test -benchtime; default 1s
}

// Reports are files below $PIPELINE_OUT that a command stage writes.
type Reports struct {
	JUnit       []string `yaml:"junit"`
	Cobertura   []string `yaml:"cobertura"`
	CodeQuality []string `yaml:"codequality"`
}

// Waive lets a stage be red until a date.
type Waive struct {
	Reason string `yaml:"reason"`
	// Until is the moment from which the stage must be green again; a date
	// without a time is its beginning in UTC.
	Until time.Time `yaml:"until"`
}

// Integration tells what the service is installed with.
type Integration struct {
	// With is installed before the service, in this order.
	With []With `yaml:"with"`
	// Data are manifests or commands applied after everything is ready.
	Data []string `yaml:"data"`
	// Values are given to the service's chart.
	Values  map[string]any `yaml:"values"`
	Cluster Cluster        `yaml:"cluster"`
	// Ready bounds the wait for readiness; default 2m.
	Ready time.Duration `yaml:"ready"`
}

// With is a chart, a folder of manifests, or a sibling service; exactly one.
type With struct {
	Chart     string         `yaml:"chart"`     // folder or archive, or a reference with "://"
	Manifests string         `yaml:"manifests"` // folder or file
	Service   string         `yaml:"service"`   // name of the sibling
	Name      string         `yaml:"name"`      // release name; default the last path element
	Values    map[string]any `yaml:"values"`
}

// Cluster chooses where integration runs.
type Cluster struct {
	Provider  string `yaml:"provider"`  // kind (default) or existing
	Name      string `yaml:"name"`      // kind: cluster name; default "pipeline"
	NodeImage string `yaml:"nodeImage"` // kind: image of the node
	Context   string `yaml:"context"`   // existing: context of the kubeconfig
	Registry  string `yaml:"registry"`  // existing: where the cluster pulls from
}

// Release tells where and how the service is released.
type Release struct {
	Branch    string   `yaml:"branch"`    // default "main"
	TagPrefix string   `yaml:"tagPrefix"` // default "v", or "NAME/v" below the repository's root
	Registry  string   `yaml:"registry"`
	Forge     string   `yaml:"forge"`   // gitlab or none
	Require   []string `yaml:"require"` // stages; default all but bench
	// Programs makes an archive of the program for each platform a part of the
	// release, which then requires the stage build.
	Programs bool `yaml:"programs"`
	// Approvals is how many people other than the author have to approve the
	// merge request; Checklist are the items of the manual tests.
	Approvals int      `yaml:"approvals"`
	Checklist []string `yaml:"checklist"`
}
