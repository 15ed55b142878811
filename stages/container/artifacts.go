package container

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"gitlab.com/selfcontained/pipeline/stages/container/chart"
	"gitlab.com/selfcontained/pipeline/stages/container/sbom"
	"gitlab.com/selfcontained/pipeline/stages/container/secrets"
)

// RoleAnnotation, on a descriptor in the index and on the manifest itself,
// tells what a manifest that is no image holds: chart, api or sbom.
const RoleAnnotation = "vnd.selfcontained.role"

// APIAnnotation, on a layer of the api manifest, is "provides" or "uses".
const APIAnnotation = "vnd.selfcontained.api"

// The media types of artifacts. Those of the chart are Helm's
// (helm.sh/docs/topics/registries).
const (
	APIType  = "application/vnd.selfcontained.api.v1"
	SBOMType = "application/vnd.cyclonedx+json"

	chartConfigType types.MediaType = "application/vnd.cncf.helm.config.v1+json"
	chartLayerType  types.MediaType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
)

const titleAnnotation = "org.opencontainers.image.title"

// artifact stores a manifest that is no image and returns its descriptor for
// the index.
func (b *bundler) artifact(role, artifactType string, m v1.Manifest) (v1.Descriptor, error) {
	m.SchemaVersion, m.MediaType, m.ArtifactType = 2, types.OCIManifestSchema1, artifactType
	if m.Annotations == nil {
		m.Annotations = map[string]string{}
	}
	m.Annotations[RoleAnnotation] = role
	if m.Config.Size == 0 {
		// The empty descriptor of the image specification, "Guidance for an
		// empty descriptor".
		empty, err := b.store.Put(types.OCIEmptyJSON, []byte("{}"))
		if err != nil {
			return empty, err
		}
		empty.Data, m.Config = []byte("{}"), empty
	}
	desc, err := b.store.PutJSON(types.OCIManifestSchema1, m)
	desc.Platform = &v1.Platform{OS: "unknown", Architecture: "unknown"}
	desc.Annotations = map[string]string{RoleAnnotation: role}
	desc.ArtifactType = artifactType
	if artifactType == "" {
		desc.ArtifactType = string(m.Config.MediaType)
	}
	return desc, err
}

// chart packs the chart, if there is one, and keeps the archive as chart.tgz.
func (b *bundler) chart() (none v1.Descriptor, err error) {
	if b.service.Chart == "" {
		return none, nil
	}
	c, err := chart.Load(b.root, b.service.Chart, b.version)
	var wrong *chart.Error
	if errors.As(err, &wrong) {
		return none, failure(count(len(wrong.Problems), "problem")+" in the chart", firstLines(wrong.Error()))
	}
	if err != nil {
		return none, b.setting("chart", err)
	}
	if err := b.scanChart(c); err != nil {
		return none, err
	}
	var packed bytes.Buffer
	if err := c.Archive(&packed); err != nil {
		return none, fmt.Errorf("pack chart: %w", err)
	}
	if err := writeOutput(b.job.Out, "chart.tgz", packed.Bytes()); err != nil {
		return none, err
	}
	return b.chartManifest(c, packed.Bytes())
}

// scanChart looks for secrets in the chart and in the archives of its
// dependencies.
func (b *bundler) scanChart(c *chart.Chart) error {
	for _, f := range c.Files {
		name := path.Join(b.service.Chart, f.Name)
		b.suspect(secrets.Text(name, string(f.Data)))
		if path.Ext(f.Name) != ".tgz" {
			continue
		}
		found, err := scanArchive(bytes.NewReader(f.Data), func(string) {})
		if err != nil {
			return failure("a dependency of the chart is broken", fmt.Sprintf("%s: %v", name, err))
		}
		for _, in := range found {
			b.suspect([]secrets.Finding{{Path: name + "!" + in.Path, Kind: in.Kind}})
		}
	}
	return nil
}

func (b *bundler) chartManifest(c *chart.Chart, packed []byte) (v1.Descriptor, error) {
	config, err := b.store.Put(chartConfigType, c.Metadata)
	if err != nil {
		return config, err
	}
	layer, err := b.store.Put(chartLayerType, packed)
	if err != nil {
		return layer, err
	}
	return b.artifact("chart", "", v1.Manifest{
		Config: config, Layers: []v1.Descriptor{layer},
		Annotations: map[string]string{
			titleAnnotation: c.Name, "org.opencontainers.image.version": b.version,
		},
	})
}

// firstLines keeps what fits into a cause.
func firstLines(text string) string {
	lines := strings.Split(text, "\n")
	if len(lines) > 24 {
		lines = append(lines[:23], fmt.Sprintf("and %d more", len(lines)-23))
	}
	return strings.Join(lines, "\n")
}

// api stores the descriptors of the interfaces, if there are any.
func (b *bundler) api() (none v1.Descriptor, err error) {
	var m v1.Manifest
	for _, side := range []struct {
		name  string
		files []string
	}{{"provides", b.service.API.Provides}, {"uses", b.service.API.Uses}} {
		for i, file := range side.files {
			layer, err := b.descriptorFile(file)
			if err != nil {
				return none, b.setting(fmt.Sprintf("api.%s[%d]", side.name, i), err)
			}
			layer.Annotations = map[string]string{titleAnnotation: path.Clean(file), APIAnnotation: side.name}
			m.Layers = append(m.Layers, layer)
		}
	}
	if len(m.Layers) == 0 {
		return none, nil
	}
	return b.artifact("api", APIType, m)
}

func (b *bundler) descriptorFile(name string) (none v1.Descriptor, err error) {
	data, err := b.root.ReadFile(path.Clean(name))
	if err != nil {
		return none, err
	}
	mediaType, err := apiMediaType(name, data)
	if err != nil {
		return none, err
	}
	b.suspect(secrets.Text(name, string(data)))
	return b.store.Put(mediaType, data)
}

// apiMediaType checks that a file is what its name says.
func apiMediaType(name string, data []byte) (types.MediaType, error) {
	switch ext := path.Ext(name); ext {
	case ".binpb", ".pb", ".protoset":
		var set descriptorpb.FileDescriptorSet
		if err := proto.Unmarshal(data, &set); err != nil || len(set.File) == 0 {
			return "", fmt.Errorf("%s is not a FileDescriptorSet; write one with `protoc -o %s --include_imports` or `buf build -o %s`", name, name, name)
		}
		return "application/protobuf", nil
	case ".json", ".yaml", ".yml":
		var doc struct{ OpenAPI, Swagger string }
		if err := yaml.Unmarshal(data, &doc); err != nil || doc.OpenAPI+doc.Swagger == "" {
			return "", fmt.Errorf("%s is not an OpenAPI document: it has no `openapi` version", name)
		}
		if ext == ".json" {
			return "application/vnd.oai.openapi+json", nil
		}
		return "application/vnd.oai.openapi", nil
	}
	return "", fmt.Errorf("%s: expected a FileDescriptorSet (.binpb) or an OpenAPI document (.yaml, .json)", name)
}

// sbom writes the bill of materials, also to sbom.cdx.json.
func (b *bundler) sbom() (none v1.Descriptor, err error) {
	s := sbom.Service{
		Name: b.service.Name, Version: b.version, Base: b.base,
		Module: b.service.Module,
	}
	if s.Module == "" {
		s.Module = b.program.Module
	}
	for platform, sum := range b.hashes { // none with a builder: who knows what it put in
		s.Binaries = append(s.Binaries, sbom.Binary{Platform: platform, Name: b.service.Name, SHA256: sum})
	}
	for _, m := range b.program.modules {
		s.Modules = append(s.Modules, sbom.Module(m))
	}
	data, err := sbom.JSON(s)
	if err != nil {
		return none, err
	}
	if err := writeOutput(b.job.Out, "sbom.cdx.json", data); err != nil {
		return none, err
	}
	layer, err := b.store.Put(SBOMType, data)
	if err != nil {
		return none, err
	}
	layer.Annotations = map[string]string{titleAnnotation: "sbom.cdx.json"}
	return b.artifact("sbom", SBOMType, v1.Manifest{Layers: []v1.Descriptor{layer}})
}
