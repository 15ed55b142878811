// Package module is the stage that runs the image which the container stage
// made, as an engine or a cluster would, and checks that it behaves.
//
// Nothing but the image takes part: its own entrypoint runs in its own root
// file system with its own user. The checks are what every service of a
// cluster owes: it starts, it says which version it is, a dry run ends without
// serving, it becomes ready, it ends in time after SIGTERM. The tests of the
// service with the build tag "module" then speak with it from outside.
//
// Where it runs is a [machine], made by a [driver]: the sandbox of this
// package's sub-package needs neither an engine nor privileges; docker and
// podman follow. The first that works is taken, and the verdict says which.
package module

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/gotest"
	"gitlab.com/selfcontained/pipeline/stages/module/rootfs"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Kind is the stage's kind, and the package of its checks in the findings.
const Kind = "module"

// Options are what the stage is told. Dir, Sources and the outputs of the need
// "container" are required.
type Options struct {
	// Service is the service's name.
	Service string
	// Dir is the absolute path of the service's folder.
	Dir string
	// Settings are those of the stage in pipeline.yaml.
	Settings config.Stage
	// Version is what the program must print; empty: what the bundle says.
	Version string
	// Sources are the service's sources.
	Sources *source.Folder
	// Limits are changed by tests alone.
	Limits Limits
}

// New returns the stage.
func New(o Options) *Stage { return &Stage{o: o, drivers: drivers()} }

// Stage checks the image of a service. It implements pipeline.Stage, Keyer and
// Cleaner.
type Stage struct {
	o       Options
	drivers []driver

	mu   sync.Mutex
	used []driver // those that may have left something
}

// image is the image under test.
type image struct {
	v1.Image
	bundle rootfs.Bundle
	config v1.Config
	user   rootfs.User
	root   string // folder with the unpacked root file system
}

// Run makes the image ready, chooses a runtime and makes the checks. Red
// checks are a *pipeline.Failure.
func (s *Stage) Run(ctx context.Context, job *pipeline.Job) error {
	job.Say("unpacking the image")
	binaries := gotest.CompileAside(ctx, job, s.o.Dir, Kind)
	defer binaries()
	img, err := s.open(ctx, job)
	if err != nil {
		return err
	}
	c := &checks{stage: s, job: job, image: img, limits: s.o.Limits.orDefault(), binaries: binaries}
	if !c.entrypoint() {
		return c.verdict()
	}
	if err := c.choose(ctx); err != nil {
		return err
	}
	if err := c.all(ctx); err != nil {
		return err
	}
	return c.verdict()
}

// Clean takes away what an engine keeps for this job.
func (s *Stage) Clean(ctx context.Context, job *pipeline.Job) error {
	s.mu.Lock()
	used := slices.Clone(s.used)
	s.mu.Unlock()
	var all []error
	for _, d := range used {
		if err := d.Sweep(ctx, job.Run, job.Node.Name); err != nil {
			all = append(all, fmt.Errorf("%s: %w", d.Name(), err))
		}
	}
	return errors.Join(all...)
}

// Sweep takes away what a dead run has left with any engine that answers.
func Sweep(ctx context.Context, run string) error {
	var all []error
	for _, d := range drivers() {
		if !d.Visible() {
			continue
		}
		if err := d.Sweep(ctx, run, ""); err != nil {
			all = append(all, fmt.Errorf("%s: %w", d.Name(), err))
		}
	}
	return errors.Join(all...)
}

func (s *Stage) use(d driver) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.used, d) {
		s.used = append(s.used, d)
	}
}

// open finds the image in what the container stage left, and unpacks it.
func (s *Stage) open(ctx context.Context, job *pipeline.Job) (*image, error) {
	dir, ok := job.Need("container")
	if !ok {
		return nil, &pipeline.NotTested{
			Why: "there is no image: the outputs of the container stage are missing", Remedy: "run the container stage first",
		}
	}
	bundle, err := rootfs.ReadBundle(dir)
	if err != nil {
		return nil, err
	}
	found, err := rootfs.Find(filepath.Join(dir, "oci"), bundle.Digest, "linux/"+runtime.GOARCH)
	var noPlatform *rootfs.NoPlatformError
	if errors.As(err, &noPlatform) {
		return nil, &pipeline.NotTested{
			Why: "this machine cannot run the image", Err: err,
			Remedy: fmt.Sprintf("add linux/%s to platforms in pipeline.yaml, or use another machine", runtime.GOARCH),
		}
	}
	if err != nil {
		return nil, err
	}
	return unpack(ctx, job, bundle, found)
}

func unpack(ctx context.Context, job *pipeline.Job, bundle rootfs.Bundle, found v1.Image) (*image, error) {
	file, err := found.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read the image's config: %w", err)
	}
	img := &image{Image: found, bundle: bundle, config: file.Config, root: filepath.Join(job.Scratch, "rootfs")}
	if img.user, err = rootfs.UserOf(found); err != nil {
		return nil, &pipeline.Failure{Summary: "the image's user is unknown", Cause: err.Error()}
	}
	if err := os.Mkdir(img.root, 0o755); err != nil {
		return nil, err
	}
	ignored, err := rootfs.Unpack(ctx, found, img.root, img.user, rootfs.Limits{})
	for _, name := range ignored {
		fmt.Fprintf(job.Log, "left out: /%s is a device or a pipe\n", name)
	}
	return img, err
}
