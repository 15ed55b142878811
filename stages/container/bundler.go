package container

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/stages/container/blob"
	"gitlab.com/selfcontained/pipeline/stages/container/secrets"
)

// bundler is one run of the stage.
type bundler struct {
	*Stage
	job     *pipeline.Job
	root    *os.Root // the service's folder
	store   *blob.Store
	program *program

	mu     sync.Mutex
	found  []secrets.Finding
	hashes map[string]string // platform -> SHA-256 of its binary

	base      string // reference of the base image by digest, empty without one
	localBase bool   // the base is an image layout
}

// image is a finished image.
type image struct {
	desc   v1.Descriptor // with its platform
	config v1.Hash
	size   int64
	layers []pipeline.Layer
}

// run goes from what fails fast to what takes long.
func (b *bundler) run(ctx context.Context) error {
	var err error
	if b.program, err = b.readProgram(); err != nil {
		return err
	}
	chart, err := b.chart()
	if err != nil {
		return err
	}
	api, err := b.api()
	if err != nil {
		return err
	}
	images, err := b.images(ctx)
	for _, i := range images {
		b.job.Findings.Layers = append(b.job.Findings.Layers, i.layers...)
	}
	if err != nil {
		return err
	}
	if err := b.noSecrets(); err != nil {
		return err
	}
	bom, err := b.sbom()
	if err != nil {
		return err
	}
	return b.finish(images, chart, api, bom)
}

func (b *bundler) images(ctx context.Context) ([]image, error) {
	if len(b.service.Image.Builder) > 0 {
		return b.foreign(ctx)
	}
	return b.assemble(ctx)
}

// finish writes the index and what describes it. A zero descriptor is a part
// that the service does not have.
func (b *bundler) finish(images []image, chart, api, bom v1.Descriptor) error {
	index := v1.IndexManifest{
		SchemaVersion: 2, MediaType: types.OCIImageIndex,
		Annotations: b.annotations(),
	}
	bundle := &Bundle{
		Name: b.service.Name, Version: b.version,
		Chart: digest(chart.Digest), API: digest(api.Digest), SBOM: digest(bom.Digest),
	}
	for _, i := range images {
		index.Manifests = append(index.Manifests, i.desc)
		bundle.Images = append(bundle.Images, Image{
			Platform: i.desc.Platform.String(), Digest: digest(i.desc.Digest),
			ConfigDigest: digest(i.config), Size: i.size,
		})
	}
	for _, part := range []v1.Descriptor{chart, api, bom} {
		if part.Size > 0 {
			index.Manifests = append(index.Manifests, part)
		}
	}
	desc, err := b.store.PutJSON(types.OCIImageIndex, index)
	if err != nil {
		return err
	}
	bundle.Digest = digest(desc.Digest)
	desc.Annotations = map[string]string{"org.opencontainers.image.ref.name": b.version}
	if err := b.store.End(desc); err != nil {
		return err
	}
	b.report(bundle)
	return bundle.write(b.job.Out)
}

// annotations name the service and its version: nothing that would make other
// bytes of the same content.
func (s *Stage) annotations() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":   s.service.Name,
		"org.opencontainers.image.version": s.version,
	}
}

func (b *bundler) report(bundle *Bundle) {
	platforms := count(len(bundle.Images), "platform")
	size := bundle.largest()
	b.job.Findings.Summary = fmt.Sprintf("sha256:%s, %s, %s", bundle.Digest.Short(), megabytes(size), platforms)
	facts := map[string]string{"bundle": string(bundle.Digest), "image size": strconv.FormatInt(size, 10)}
	if b.base != "" {
		facts["base"] = b.base
	}
	b.job.Findings.Facts = facts
	fmt.Fprintf(b.job.Log, "bundle %s (%s %s)\n", bundle.Digest, bundle.Name, bundle.Version)
	for _, i := range bundle.Images {
		fmt.Fprintf(b.job.Log, "  %-14s %s, %s\n", i.Platform, i.Digest, megabytes(i.Size))
	}
}

// count writes a number with its noun: "1 platform", "2 platforms".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// digest returns "" for a hash that was never set.
func digest(h v1.Hash) evidence.Digest {
	if h.Hex == "" {
		return ""
	}
	return evidence.Digest(h.String())
}

// noSecrets fails when anything that was written holds a secret.
func (b *bundler) noSecrets() error {
	for name, value := range b.service.Image.Env {
		b.suspect(secrets.Text("variable "+name, value))
	}
	found := sortedFindings(b.found)
	if len(found) == 0 {
		return nil
	}
	var cause strings.Builder
	for _, f := range found[:min(len(found), 20)] {
		fmt.Fprintln(&cause, f)
	}
	if more := len(found) - 20; more > 0 {
		fmt.Fprintf(&cause, "and %d more\n", more)
	}
	cause.WriteString("Whoever can pull the image can read this. Take it out, revoke it, and give it to the\n" +
		"service at run time (a Kubernetes Secret).")
	return failure(count(len(found), "secret")+" in the bundle", cause.String())
}

func (b *bundler) suspect(found []secrets.Finding) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.found = append(b.found, found...)
}

func writeOutput(dir, name string, data []byte) error {
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
