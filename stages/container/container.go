// Package container makes the bundle: one OCI index with everything that a
// service ships.
//
// The index holds an image per platform and, each as a manifest of its own, the
// Helm chart, the descriptors of the interfaces, and the bill of materials.
// Container engines and Kubernetes pull it like any image of several platforms:
// what is no image has the platform unknown/unknown, as build attestations
// have, and the annotation vnd.selfcontained.role tells which it is. No daemon
// is involved. The bytes depend on the content and the candidate version alone,
// so that the digest is the identity that tests, releases and promotions speak
// of: there are no times in it, no commit, and no trace of the machine.
//
// Formats: OCI image specification v1.1 (index, manifest, config, layout).
package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/container/blob"
)

// recipe is the version of what this package writes: it is part of the key and
// grows with every change that makes other bytes of the same content.
const recipe = "1"

// Options are what the stage needs to know.
type Options struct {
	Service config.Service
	// Version is the candidate version, a semantic version without "v".
	Version string
	// Sources is the service's folder; nil opens Service.Dir.
	Sources *source.Folder
	// Ports are exposed beside those of Service.Image.
	Ports []int
}

// Stage writes the bundle of one service. It needs "build".
type Stage struct {
	service config.Service
	version string
	sources *source.Folder
	ports   []int
}

// New returns the stage.
func New(o Options) *Stage {
	s := &Stage{service: o.Service, version: o.Version, sources: o.Sources}
	if s.sources == nil {
		s.sources = source.Open(o.Service.Dir)
	}
	s.ports = slices.Concat(o.Service.Image.Ports, o.Ports)
	slices.Sort(s.ports)
	s.ports = slices.Compact(s.ports)
	return s
}

// Run writes oci/ (an OCI image layout), bundle.json, sbom.cdx.json, and
// chart.tgz when there is a chart, to job.Out.
func (s *Stage) Run(ctx context.Context, job *pipeline.Job) error {
	if s.service.Main == "" && len(s.service.Image.Builder) == 0 && len(s.service.Stages["build"].Command) == 0 {
		return &pipeline.NotApplicable{Why: "a library has no image"}
	}
	if s.version == "" {
		return errors.New("container: no version was given; pass --version")
	}
	root, err := os.OpenRoot(s.service.Dir)
	if err != nil {
		return fmt.Errorf("open the service's folder: %w", err)
	}
	defer root.Close()
	store, err := blob.Create(layoutDir(job.Out))
	if err != nil {
		return err
	}
	b := &bundler{Stage: s, job: job, root: root, store: store}
	if err := b.run(ctx); err != nil {
		// Nobody shall find a half-written bundle, or one with a secret in it.
		return cleared(err, layoutDir(job.Out))
	}
	return nil
}

// layoutDir is where the layout lies below the stage's outputs.
func layoutDir(out string) string { return filepath.Join(out, "oci") }

// failure is an error of what the user wrote.
func failure(summary string, cause string) error {
	return &pipeline.Failure{Summary: summary, Cause: cause}
}

// setting is a failure that one key of pipeline.yaml causes.
func (s *Stage) setting(key string, err error) error {
	file := "pipeline.yaml"
	if s.service.File != "" {
		file = filepath.Base(s.service.File)
	}
	return failure(fmt.Sprintf("%s is wrong", key), fmt.Sprintf("%s: %s: %v", file, key, err))
}

// cleared removes dir after err, which stays the error that counts.
func cleared(err error, dir string) error {
	if gone := os.RemoveAll(dir); gone != nil {
		return fmt.Errorf("%w (and %v)", err, gone)
	}
	return err
}
