package container

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
	"gitlab.com/selfcontained/pipeline/stages/container/blob"
	"gitlab.com/selfcontained/pipeline/stages/container/secrets"
)

// foreign runs image.builder and takes the images that it leaves in
// $PIPELINE_OUT/oci, unchanged. Whether its bytes depend on content alone is
// the builder's affair.
func (b *bundler) foreign(ctx context.Context) ([]image, error) {
	out := filepath.Join(b.job.Scratch, "builder")
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, fmt.Errorf("image.builder: %w", err)
	}
	if err := b.runBuilder(ctx, out); err != nil {
		return nil, err
	}
	index, err := layout.ImageIndexFromPath(filepath.Join(out, "oci"))
	if err != nil {
		return nil, b.setting("image.builder", fmt.Errorf("the command left no OCI image layout in $PIPELINE_OUT/oci: %w", err))
	}
	var images []image
	c := &copier{bundler: b, done: map[v1.Hash]blob.Layer{}}
	err = eachImage(index, func(desc v1.Descriptor, img v1.Image) error {
		done, err := c.taken(ctx, desc, img)
		if err == nil && done.desc.Platform != nil {
			images = append(images, done)
		}
		return err
	})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, b.setting("image.builder", fmt.Errorf("the image layout in $PIPELINE_OUT/oci: %w", err))
	}
	slices.SortStableFunc(images, func(a, b image) int {
		return cmp.Compare(a.desc.Platform.String(), b.desc.Platform.String())
	})
	return images, b.platformsOf(images)
}

func (b *bundler) runBuilder(ctx context.Context, out string) error {
	builder := b.service.Image.Builder
	b.job.Say("running " + builder[0])
	cmd := b.job.Command(builder...)
	cmd.Env = append(cmd.Env, "PIPELINE_OUT="+out, "PIPELINE_VERSION="+b.version)
	if b.program.dir != "" {
		cmd.Env = append(cmd.Env, "PIPELINE_NEED_BUILD="+b.program.dir)
	}
	err := cmd.Run(ctx)
	var failed *proc.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return err
	case proc.NotFound(err):
		return &pipeline.NotTested{Why: "image.builder cannot run", Remedy: "install " + builder[0], Err: err}
	case errors.As(err, &failed):
		return failure("image.builder failed", lastLines(err.Error()+"\n"+failed.Stderr))
	}
	return err
}

// lastLines keeps the first line, which says what failed, and the last ones.
func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > 24 {
		lines = slices.Concat(lines[:1], lines[len(lines)-23:])
	}
	return strings.Join(lines, "\n")
}

// taken copies one image, and looks for secrets in its environment too. What
// has no image configuration or no platform is left out.
func (c *copier) taken(ctx context.Context, desc v1.Descriptor, img v1.Image) (done image, err error) {
	m, err := img.Manifest()
	if err != nil || !m.Config.MediaType.IsConfig() {
		return done, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return done, err
	}
	for _, entry := range config.Config.Env {
		name, value, _ := strings.Cut(entry, "=")
		c.suspect(secrets.Text("variable "+name, value))
	}
	return c.image(ctx, desc, img)
}

// platformsOf checks that there is one image for each platform of the service.
func (b *bundler) platformsOf(images []image) error {
	have := map[string]bool{}
	for _, i := range images {
		p := i.desc.Platform.String()
		if have[p] {
			return b.setting("image.builder", fmt.Errorf("the command made two images for %s", p))
		}
		have[p] = true
	}
	for _, p := range b.service.ImagePlatforms() {
		if !have[p] {
			return b.setting("image.builder", fmt.Errorf("the command made no image for %s, which `platforms` names", p))
		}
	}
	if len(images) == 0 {
		return b.setting("image.builder", errors.New("the image layout in $PIPELINE_OUT/oci has no image"))
	}
	return nil
}
