// Package bundle reads what a service ships: the OCI index that the container
// stage writes, with an image for each platform and beside them the chart, the
// descriptors of the interfaces and the SBOM (package stages/container says
// which annotations tell them apart).
//
// Read looks at the little that is needed to choose a bundle: the index and the
// interfaces. Fetch brings the whole of it to the disk as an OCI image layout,
// for those who load images from layouts. Both take anything that has manifests
// and blobs by digest, a repository of a registry or a layout, and believe
// nothing that it says: every byte is checked against the digest by which it was
// asked for, and what a bundle may consist of is bounded.
package bundle

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
)

// Source is where bundles come from: a repository.Repository or a layout.
type Source interface {
	// Manifest returns a manifest by its digest; nil when it is not there.
	Manifest(ctx context.Context, digest string) (*repository.Manifest, error)
	// Layer returns a blob to be read with Compressed.
	Layer(ctx context.Context, desc v1.Descriptor) (v1.Layer, error)
}

// The annotations of a bundle and the values that they have. Those of the first
// group stand on descriptors in the index, the second on layers of the manifest
// with the interfaces.
const (
	roleAnnotation = "vnd.selfcontained.role"
	roleChart      = "chart"
	roleAPI        = "api"
	roleSBOM       = "sbom"

	apiAnnotation = "vnd.selfcontained.api"
	apiProvides   = "provides"
	apiUses       = "uses"
)

// The annotations that OCI has for everybody (image specification 1.1,
// annotations.md).
const (
	titleAnnotation   = "org.opencontainers.image.title"
	versionAnnotation = "org.opencontainers.image.version"
)

// What is read of the parts of a bundle, in bytes and numbers.
const (
	maxAPI         = 8 << 20
	maxChart       = 32 << 20
	maxDescriptors = 200
)

// Bundle is what an index says.
type Bundle struct {
	Name    string // of the service
	Version string // SemVer without "v"
	// Digest is that of the index and Size its length in bytes.
	Digest evidence.Digest
	Size   int64
	Images []Image // sorted by platform
	// Chart and SBOM are digests of manifests in the index; empty when there is
	// none.
	Chart, SBOM evidence.Digest
	// Provides and Uses are the descriptors of the interfaces, in the order in
	// which the service names them.
	Provides, Uses []API
}

// Image is the image for one platform.
type Image struct {
	Platform string // "linux/amd64"
	Digest   evidence.Digest
}

// API is the descriptor of an interface.
type API struct {
	Title     string // the file in the service's repository: "api/stock.binpb"
	MediaType string // "application/protobuf": a FileDescriptorSet; "application/vnd.oai.openapi", "…+json"
	Data      []byte
}

// Broken says that something is no bundle, or that a part of it is missing or
// is not what its digest says. To read it again does not help.
type Broken struct {
	Source string
	Digest evidence.Digest // of the part
	Why    string
}

func (e *Broken) Error() string {
	return fmt.Sprintf("%s@%s %s; release the service again", e.Source, e.Digest, e.Why)
}

// reader reads the parts of one bundle.
type reader struct {
	src Source
}

func (r reader) broken(digest evidence.Digest, format string, args ...any) error {
	return &Broken{Source: fmt.Sprint(r.src), Digest: digest, Why: fmt.Sprintf(format, args...)}
}

// Read reads the index of a bundle and the descriptors of its interfaces. The
// error is a *Broken or a *repository.Damaged when the content is at fault; any
// other says that the source could not be read.
func Read(ctx context.Context, src Source, digest evidence.Digest) (*Bundle, error) {
	r := reader{src}
	raw, err := r.manifest(ctx, digest)
	if err != nil {
		return nil, err
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(raw, &index); err != nil || !index.MediaType.IsIndex() {
		return nil, r.broken(digest, "is no index of a bundle but %q", index.MediaType)
	}
	b := &Bundle{
		Name: index.Annotations[titleAnnotation], Version: index.Annotations[versionAnnotation],
		Digest: digest, Size: int64(len(raw)),
	}
	api, err := r.parts(b, index.Manifests)
	if err != nil || api == "" {
		return b, err
	}
	return b, r.interfaces(ctx, b, api)
}

// parts sorts what the index names. Manifests that are neither an image nor have
// a role, such as attestations of a builder, are left out.
func (r reader) parts(b *Bundle, manifests []v1.Descriptor) (api evidence.Digest, err error) {
	roles := map[string]*evidence.Digest{roleChart: &b.Chart, roleAPI: &api, roleSBOM: &b.SBOM}
	for _, d := range manifests {
		digest := evidence.Digest(d.Digest.String())
		role := d.Annotations[roleAnnotation]
		switch at := roles[role]; {
		case at != nil && *at != "":
			return "", r.broken(b.Digest, "names two manifests of the role %s", role)
		case at != nil:
			*at = digest
		case role == "" && d.MediaType.IsImage() && d.Platform != nil && d.Platform.OS != "unknown":
			b.Images = append(b.Images, Image{Platform: d.Platform.String(), Digest: digest})
		}
	}
	slices.SortFunc(b.Images, func(x, y Image) int {
		return cmp.Or(cmp.Compare(x.Platform, y.Platform), cmp.Compare(x.Digest, y.Digest))
	})
	if b.Name == "" || b.Version == "" || len(b.Images) == 0 {
		return "", r.broken(b.Digest, "has no name, no version or no image for any platform")
	}
	return api, nil
}

func (r reader) interfaces(ctx context.Context, b *Bundle, digest evidence.Digest) error {
	m, err := r.image(ctx, digest)
	if err != nil {
		return err
	}
	if len(m.Layers) > maxDescriptors {
		return r.broken(digest, "has %d descriptors of interfaces; at most %d are read", len(m.Layers), maxDescriptors)
	}
	for _, layer := range m.Layers {
		data, err := r.blob(ctx, layer, maxAPI)
		if err != nil {
			return err
		}
		api := API{Title: layer.Annotations[titleAnnotation], MediaType: string(layer.MediaType), Data: data}
		switch side := layer.Annotations[apiAnnotation]; side {
		case apiProvides:
			b.Provides = append(b.Provides, api)
		case apiUses:
			b.Uses = append(b.Uses, api)
		default:
			return r.broken(digest, "has the interface %s, which is said to be %q; expected provides or uses", api.Title, side)
		}
	}
	return nil
}

// ChartArchive reads the packed chart (.tgz) of the bundle from where the bundle
// was read; nil when it has none. The error is that of Read.
func (b *Bundle) ChartArchive(ctx context.Context, src Source) ([]byte, error) {
	if b.Chart == "" {
		return nil, nil
	}
	r := reader{src}
	m, err := r.image(ctx, b.Chart)
	if err != nil {
		return nil, err
	}
	if len(m.Layers) != 1 {
		return nil, r.broken(b.Chart, "has %d layers; a chart has one", len(m.Layers))
	}
	return r.blob(ctx, m.Layers[0], maxChart)
}

// image reads a manifest that is no index.
func (r reader) image(ctx context.Context, digest evidence.Digest) (*v1.Manifest, error) {
	raw, err := r.manifest(ctx, digest)
	if err != nil {
		return nil, err
	}
	var m v1.Manifest
	if err := json.Unmarshal(raw, &m); err != nil || !m.MediaType.IsImage() {
		return nil, r.broken(digest, "is no manifest but %q", m.MediaType)
	}
	return &m, nil
}

func (r reader) manifest(ctx context.Context, digest evidence.Digest) ([]byte, error) {
	m, err := r.src.Manifest(ctx, string(digest))
	switch {
	case err != nil:
		return nil, err
	case m == nil:
		return nil, r.broken(digest, "is not there")
	case m.Digest() != digest:
		return nil, r.broken(digest, "came as %s", m.Digest())
	}
	return m.Raw, nil
}

// blob reads a blob of at most limit bytes.
func (r reader) blob(ctx context.Context, desc v1.Descriptor, limit int64) ([]byte, error) {
	digest := evidence.Digest(desc.Digest.String())
	if desc.Size < 0 || desc.Size > limit {
		return nil, r.broken(digest, "has %d bytes; at most %d are read", desc.Size, limit)
	}
	data, err := r.content(ctx, desc)
	switch {
	case isMissing(err):
		return nil, r.broken(digest, "is not there")
	case err != nil:
		return nil, err
	case int64(len(data)) != desc.Size || evidence.Sum(data) != digest:
		return nil, r.broken(digest, "came as %s with %d bytes; expected %d", evidence.Sum(data), len(data), desc.Size)
	}
	return data, nil
}

// content reads a blob by the shorter way where the source has one, which also
// tells damage from a broken line.
func (r reader) content(ctx context.Context, desc v1.Descriptor) ([]byte, error) {
	if src, ok := r.src.(interface {
		Blob(ctx context.Context, desc v1.Descriptor, limit int64) ([]byte, error)
	}); ok {
		return src.Blob(ctx, desc, desc.Size)
	}
	content, err := r.open(ctx, desc)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	return io.ReadAll(io.LimitReader(content, desc.Size+1))
}

func (r reader) open(ctx context.Context, desc v1.Descriptor) (content io.ReadCloser, err error) {
	layer, err := r.src.Layer(ctx, desc)
	if err == nil {
		content, err = layer.Compressed()
	}
	if isMissing(err) {
		return nil, r.broken(evidence.Digest(desc.Digest.String()), "is not there")
	}
	return content, err
}

// isMissing reports whether a registry or a folder says that it does not have
// something.
func isMissing(err error) bool {
	var answer *transport.Error
	return errors.Is(err, fs.ErrNotExist) || errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}
