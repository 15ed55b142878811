package container

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/container/archive"
	"gitlab.com/selfcontained/pipeline/stages/container/blob"
	"gitlab.com/selfcontained/pipeline/stages/container/secrets"
)

// defaultUser is "nonroot" of the scratch image.
const defaultUser = "65532:65532"

// defaultPath is the PATH of an image without a base.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// part is a layer with the line that `docker history` shows for it.
type part struct {
	blob.Layer
	idea string
}

// assemble makes one image per binary. What the images share is written once.
func (b *bundler) assemble(ctx context.Context) ([]image, error) {
	owner, err := ownerOf(b.user())
	if err != nil {
		return nil, b.setting("image.user", err)
	}
	files, err := b.place()
	if err != nil {
		return nil, err
	}
	bases, there, err := b.bases(ctx, owner)
	if err != nil {
		return nil, err
	}
	var extra []part
	if len(files) > 0 {
		layer, err := b.filesLayer(files, there)
		if err != nil {
			return nil, err
		}
		extra = append(extra, part{layer, "image.files"})
	}
	return b.perPlatform(ctx, bases, extra)
}

func (b *bundler) perPlatform(ctx context.Context, bases []baseImage, extra []part) ([]image, error) {
	images := make([]image, len(bases))
	b.hashes = map[string]string{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, bin := range b.program.Binaries {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			layer, sum, found, err := binaryLayer(b.store, b.program.dir, b.service.Name, bin)
			if err != nil {
				return err
			}
			b.suspect(found)
			b.mu.Lock()
			b.hashes[bin.Platform] = sum
			b.mu.Unlock()
			parts := slices.Concat(bases[i].parts, extra, []part{{layer, "program /" + b.service.Name}})
			images[i], err = b.image(bases[i], parts)
			images[i].layers = layersOf(bin.Platform, bases[i].layers, parts)
			return err
		})
	}
	return images, g.Wait()
}

// image writes configuration and manifest.
func (b *bundler) image(base baseImage, parts []part) (image, error) {
	config := b.config(base)
	manifest := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Annotations: base.annotations}
	for _, l := range base.layers {
		manifest.Layers = append(manifest.Layers, l.Descriptor)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.DiffID)
	}
	for _, p := range parts {
		manifest.Layers = append(manifest.Layers, p.Descriptor)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, p.DiffID)
		config.History = append(config.History, v1.History{Created: epoch(), CreatedBy: "pipeline: " + p.idea})
	}
	var err error
	if manifest.Config, err = b.store.PutJSON(types.OCIConfigJSON, config); err != nil {
		return image{}, err
	}
	desc, err := b.store.PutJSON(types.OCIManifestSchema1, manifest)
	desc.Platform = &base.platform
	return image{desc: desc, config: manifest.Config.Digest, size: pullSize(&manifest)}, err
}

// layersOf describes the layers of an image for the reports, lowest first.
func layersOf(platform string, base []blob.Layer, parts []part) []pipeline.Layer {
	var layers []pipeline.Layer
	for _, l := range base {
		layers = append(layers, pipeline.Layer{Name: "base", Platform: platform, Digest: l.Digest.String(), Size: l.Size})
	}
	for _, p := range parts {
		layers = append(layers, pipeline.Layer{Name: p.idea, Platform: platform, Digest: p.Digest.String(), Size: p.Size})
	}
	return layers
}

// pullSize is what a pull of the image transfers beside the manifest.
func pullSize(m *v1.Manifest) int64 {
	size := m.Config.Size
	for _, l := range m.Layers {
		size += l.Size
	}
	return size
}

// epoch stands wherever the format asks for a time.
func epoch() v1.Time { return v1.Time{Time: time.Unix(0, 0).UTC()} }

func (b *bundler) config(base baseImage) v1.ConfigFile {
	c := v1.ConfigFile{
		Architecture: base.platform.Architecture, OS: base.platform.OS, Variant: base.platform.Variant,
		Created: epoch(), History: slices.Clone(base.history), RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			Entrypoint: []string{"/" + b.service.Name}, User: b.user(), WorkingDir: "/",
			Env: environment(base.env, b.service.Image.Env), Labels: b.annotations(),
		},
	}
	for _, port := range b.ports {
		if c.Config.ExposedPorts == nil {
			c.Config.ExposedPorts = map[string]struct{}{}
		}
		c.Config.ExposedPorts[strconv.Itoa(port)+"/tcp"] = struct{}{}
	}
	return c
}

func (s *Stage) user() string {
	if s.service.Image.User == "" {
		return defaultUser
	}
	return s.service.Image.User
}

// ownerOf reads "UID" or "UID:GID"; the group is that of the same number if it
// is not said.
func ownerOf(user string) (owner archive.Owner, err error) {
	uid, gid, ok := strings.Cut(user, ":")
	if !ok {
		gid = uid
	}
	u, err1 := strconv.ParseUint(uid, 10, 31)
	g, err2 := strconv.ParseUint(gid, 10, 31)
	if err1 != nil || err2 != nil {
		return owner, fmt.Errorf("%q; expected numbers, UID or UID:GID, as Kubernetes needs them for runAsNonRoot", user)
	}
	return archive.Owner{UID: int(u), GID: int(g)}, nil
}

// environment merges the base's variables and the configured ones, sorted.
func environment(base []string, own map[string]string) []string {
	merged := map[string]string{"PATH": defaultPath}
	for _, entry := range base {
		name, value, _ := strings.Cut(entry, "=")
		merged[name] = value
	}
	maps.Copy(merged, own)
	env := make([]string, 0, len(merged))
	for _, name := range slices.Sorted(maps.Keys(merged)) {
		env = append(env, name+"="+merged[name])
	}
	return env
}

// sortedFindings returns the findings in a stable order, each once.
func sortedFindings(found []secrets.Finding) []secrets.Finding {
	sorted := slices.Clone(found)
	slices.SortFunc(sorted, func(a, b secrets.Finding) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(sorted)
}
