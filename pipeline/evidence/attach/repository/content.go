package repository

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// MaxManifest is the size in bytes above which a manifest is refused: the least
// that registries must accept (OCI distribution specification 1.1, "Pushing
// Manifests").
const MaxManifest = 4 << 20

// Manifest is a manifest as its bytes.
type Manifest struct {
	MediaType types.MediaType
	Raw       []byte
}

// Digest is the identity of the manifest.
func (m *Manifest) Digest() evidence.Digest { return evidence.Sum(m.Raw) }

// Head returns the digest that a tag or digest has in the repository, or ""
// when it is not there.
func (r *Repository) Head(ctx context.Context, tagOrDigest string) (evidence.Digest, error) {
	ref, err := r.reference(tagOrDigest)
	if err != nil {
		return "", err
	}
	desc, err := r.puller.Head(ctx, ref)
	if isMissing(err) {
		return "", nil
	}
	if err != nil {
		return "", r.failed("look for "+tagOrDigest+" in", transport.PullScope, err)
	}
	return evidence.Digest(desc.Digest.String()), nil
}

// Manifest reads a manifest by tag or digest; nil when it is not there. One
// that is larger than MaxManifest, or is not what its digest says, is an error.
func (r *Repository) Manifest(ctx context.Context, tagOrDigest string) (*Manifest, error) {
	if _, err := r.reference(tagOrDigest); err != nil {
		return nil, err
	}
	resp, err := r.get(ctx, "/manifests/"+tagOrDigest, types.OCIImageIndex, types.OCIManifestSchema1,
		types.DockerManifestList, types.DockerManifestSchema2)
	if isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, r.failed("read "+tagOrDigest+" of", transport.PullScope, err)
	}
	defer resp.Body.Close()
	raw, err := readAll(resp.Body, MaxManifest)
	if err != nil {
		return nil, fmt.Errorf("read %s of %s: %w", tagOrDigest, r, err)
	}
	m := &Manifest{MediaType: types.MediaType(resp.Header.Get("Content-Type")), Raw: raw}
	if _, err := v1.NewHash(tagOrDigest); err == nil && string(m.Digest()) != tagOrDigest {
		return nil, &Damaged{Repository: r.String(), Digest: evidence.Digest(tagOrDigest), Why: "came as " + string(m.Digest())}
	}
	return m, nil
}

// Damaged says that content is not what it is called.
type Damaged struct {
	Repository string
	Digest     evidence.Digest
	Why        string
}

func (e *Damaged) Error() string {
	return fmt.Sprintf("%s@%s %s; the registry is damaged or hostile", e.Repository, e.Digest, e.Why)
}

// get sends a request below the repository. A status that is not 200 is a
// transport.Error.
func (r *Repository) get(ctx context.Context, path string, accept ...types.MediaType) (*http.Response, error) {
	return r.getURL(ctx, r.url(path), accept...)
}

func (r *Repository) getURL(ctx context.Context, url string, accept ...types.MediaType) (resp *http.Response, err error) {
	err = patiently(ctx, func() error {
		resp, err = r.getOnce(ctx, url, accept)
		return err
	})
	return resp, err
}

func (r *Repository) getOnce(ctx context.Context, url string, accept []types.MediaType) (*http.Response, error) {
	c, err := r.client(ctx, transport.PullScope)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	for _, a := range accept {
		req.Header.Add("Accept", string(a))
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	if err := transport.CheckError(resp, http.StatusOK); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

func readAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, fmt.Errorf("more than %d bytes", limit)
	}
	return data, err
}

// Blob reads a blob of at most limit bytes and checks it.
func (r *Repository) Blob(ctx context.Context, desc v1.Descriptor, limit int64) ([]byte, error) {
	if desc.Size > limit {
		return nil, &Damaged{r.String(), evidence.Digest(desc.Digest.String()), fmt.Sprintf("has %d bytes, at most %d are read", desc.Size, limit)}
	}
	resp, err := r.get(ctx, "/blobs/"+desc.Digest.String())
	if err != nil {
		return nil, r.failed("read "+desc.Digest.String()+" of", transport.PullScope, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, desc.Size+1))
	if err != nil {
		return nil, fmt.Errorf("read %s of %s: %w", desc.Digest, r, err)
	}
	if got := evidence.Sum(data); string(got) != desc.Digest.String() || int64(len(data)) != desc.Size {
		return nil, &Damaged{r.String(), evidence.Digest(desc.Digest.String()), "came as " + string(got)}
	}
	return data, nil
}

// Layer returns a blob to be copied: mounted where it goes to the same
// registry, else streamed and checked. ctx ends the stream.
func (r *Repository) Layer(ctx context.Context, desc v1.Descriptor) (v1.Layer, error) {
	ref := r.repo.Digest(desc.Digest.String())
	layer, err := r.puller.Layer(ctx, ref)
	if err != nil {
		return nil, err
	}
	return &remote.MountableLayer{Layer: layer, Reference: ref}, nil
}

// HasBlob reports whether the blob is there.
func (r *Repository) HasBlob(ctx context.Context, digest v1.Hash) (bool, error) {
	layer, err := r.puller.Layer(ctx, r.repo.Digest(digest.String()))
	if err != nil {
		return false, r.failed("look for "+digest.String()+" in", transport.PullScope, err)
	}
	there, err := partial.Exists(layer)
	if err != nil {
		return false, r.failed("look for "+digest.String()+" in", transport.PullScope, err)
	}
	return there, nil
}

// PutBlob uploads a blob unless it is there.
func (r *Repository) PutBlob(ctx context.Context, layer v1.Layer) error {
	digest, err := layer.Digest()
	if err != nil {
		return err
	}
	if there, err := r.HasBlob(ctx, digest); err != nil || there {
		return err
	}
	e := Effect{Kind: "blob", Target: r.String() + "@" + digest.String(), Digest: evidence.Digest(digest.String())}
	return r.effect(e, func() error {
		if err := r.pusher.Upload(ctx, r.repo, layer); err != nil {
			return r.failed("upload "+digest.String()+" to", transport.PushScope, err)
		}
		return nil
	})
}

// PutManifest uploads a manifest by its digest unless it is there. What it
// refers to has to be there.
func (r *Repository) PutManifest(ctx context.Context, m *Manifest) error {
	digest := m.Digest()
	if there, err := r.Head(ctx, string(digest)); err != nil || there == digest {
		return err
	}
	e := Effect{Kind: "manifest", Target: r.String() + "@" + string(digest), Digest: digest}
	return r.effect(e, func() error { return r.put(ctx, string(digest), m) })
}

// PutTag makes a tag name a manifest that is there, unless it does so already.
func (r *Repository) PutTag(ctx context.Context, tag string, m *Manifest) error {
	if _, err := r.reference(tag); err != nil {
		return err
	}
	digest := m.Digest()
	was, err := r.Head(ctx, tag)
	if err != nil || was == digest {
		return err
	}
	e := Effect{Kind: "tag", Target: r.String() + ":" + tag, Digest: digest, Was: was}
	return r.effect(e, func() error { return r.put(ctx, tag, m) })
}

// put sends a manifest. The library's own way would also write the referrers'
// tag, in one read and one write without a second look.
func (r *Repository) put(ctx context.Context, tagOrDigest string, m *Manifest) error {
	err := patiently(ctx, func() error { return r.putOnce(ctx, tagOrDigest, m) })
	if err != nil {
		return r.failed("write "+tagOrDigest+" to", transport.PushScope, err)
	}
	return nil
}

func (r *Repository) putOnce(ctx context.Context, tagOrDigest string, m *Manifest) error {
	c, err := r.client(ctx, transport.PushScope)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, r.url("/manifests/"+tagOrDigest), bytes.NewReader(m.Raw))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", string(m.MediaType))
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return transport.CheckError(resp, http.StatusOK, http.StatusCreated, http.StatusAccepted)
}

// Tags returns all tags, sorted; none when the repository is not there.
func (r *Repository) Tags(ctx context.Context) ([]string, error) {
	tags, err := r.puller.List(ctx, r.repo)
	if isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, r.failed("list the tags of", transport.PullScope, err)
	}
	slices.Sort(tags)
	return tags, nil
}
