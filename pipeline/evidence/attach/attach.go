// Package attach keeps signed statements beside a bundle in a registry.
//
// There is one form for everybody: the DSSE envelope in a Sigstore bundle v0.3,
// the only layer of an OCI manifest whose subject is the bundle. Where the
// registry has the referrers API it finds them; where not, the index at the tag
// sha256-HEX does (OCI distribution specification 1.1, "Referrers Tag Schema").
// Cosign 3 reads both:
//
//	cosign verify-attestation --key cosign.pub --insecure-ignore-tlog \
//	  --type https://gitlab.com/selfcontained/pipeline/verdict/v1 HOST/PATH@sha256:...
//
// (with --allow-http-registry for a registry on loopback; the transparency log
// is ignored because no statement is sent to a public log). Cosign 2.6 also
// wants --new-bundle-format, and offline a --trusted-root: one without any
// authority will do, {"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}.
//
// The index at the tag is shared and a registry has no compare-and-swap. So,
// without referrers API, each statement also gets a tag of its own, which nobody
// overwrites, and who writes the index looks again afterwards and adds what the
// tags say is missing: the last writer has everything, and no statement is lost.
package attach

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
)

// MaxReferrers is how many referrers of one bundle are looked through.
const MaxReferrers = 1000

// Put attaches an envelope to the manifest that it is about, which has to be in
// the repository, and returns the digest of the statement's manifest. What is
// attached already is not attached again.
func Put(ctx context.Context, to *repository.Repository, envelope []byte) (evidence.Digest, error) {
	predicateType, about, err := sign.Peek(envelope)
	if err != nil {
		return "", fmt.Errorf("attach to %s: %w", to, err)
	}
	subject, err := to.Manifest(ctx, string(about))
	if err != nil {
		return "", err
	}
	if subject == nil {
		return "", fmt.Errorf("%s@%s is not there to attach a statement to; push the bundle first", to, about)
	}
	layer, err := wrap(envelope)
	if err != nil {
		return "", fmt.Errorf("attach to %s@%s: %w", to, about, err)
	}
	m, err := manifestFor(subject, layer, predicateType)
	if err != nil {
		return "", fmt.Errorf("attach to %s@%s: %w", to, about, err)
	}
	for _, blob := range [][]byte{emptyConfig(), layer} {
		if err := to.PutBlob(ctx, static.NewLayer(blob, bundleType)); err != nil {
			return "", err
		}
	}
	if err := to.PutManifest(ctx, m); err != nil {
		return "", err
	}
	_, err = to.Referrers(ctx, about, MaxReferrers)
	if errors.Is(err, repository.ErrNoReferrers) {
		err = tagReferrer(ctx, to, about, m)
	}
	return m.Digest(), err
}

func emptyConfig() []byte { return []byte("{}") }

// manifestFor refers from a Sigstore bundle to the subject as cosign does, but
// without the time of day: equal statements are equal manifests.
func manifestFor(subject *repository.Manifest, layer []byte, predicateType string) (*repository.Manifest, error) {
	about := descriptor(subject.MediaType, subject.Raw)
	raw, err := json.Marshal(v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: bundleType,
		Config:  descriptor(emptyType, emptyConfig()),
		Layers:  []v1.Descriptor{descriptor(bundleType, layer)},
		Subject: &about,
		Annotations: map[string]string{
			contentAnnotation:   "dsse-envelope",
			predicateAnnotation: predicateType,
		},
	})
	return &repository.Manifest{MediaType: types.OCIManifestSchema1, Raw: raw}, err
}

func descriptor(mediaType types.MediaType, data []byte) v1.Descriptor {
	digest := evidence.Sum(data)
	return v1.Descriptor{
		MediaType: mediaType, Size: int64(len(data)),
		Digest: v1.Hash{Algorithm: "sha256", Hex: digest.Hex()},
	}
}

// Attached is a statement's manifest that refers to a bundle.
type Attached struct {
	// Manifest is the digest of the manifest that refers to the bundle.
	Manifest evidence.Digest
	// Envelope is for sign.Verify: all that has been checked is that it is what
	// its digest says.
	Envelope []byte
	// Err says why the manifest or its content was not read; then Envelope is
	// nil. One hostile referrer does not hide the others.
	Err error
}

// List returns what is attached to a bundle, sorted by the manifests' digests.
// Referrers of another kind are left out.
func List(ctx context.Context, in *repository.Repository, about evidence.Digest) ([]Attached, error) {
	referrers, err := in.Referrers(ctx, about, MaxReferrers)
	if err != nil && !errors.Is(err, repository.ErrNoReferrers) {
		return nil, err
	}
	withoutAPI := err != nil
	// A registry that has learnt the API may still have the index of before.
	index, err := readIndex(ctx, in, about)
	if err != nil {
		return nil, err
	}
	digests := digestsOf(referrers, index.Manifests)
	if withoutAPI {
		tagged, err := ownTags(ctx, in, about)
		if err != nil {
			return nil, err
		}
		for _, tag := range tagged {
			digest, err := in.Head(ctx, tag)
			if err != nil {
				return nil, err
			}
			digests = append(digests, digest)
		}
	}
	slices.Sort(digests)
	digests = slices.Compact(digests)
	if len(digests) > MaxReferrers {
		return nil, fmt.Errorf("%s@%s has more than %d referrers, which is too many to look through", in, about, MaxReferrers)
	}
	return readAll(ctx, in, about, digests)
}

// digestsOf returns the digests of what may be a Sigstore bundle; some
// registries say the type of the configuration instead of the artifact's.
func digestsOf(lists ...[]v1.Descriptor) []evidence.Digest {
	var digests []evidence.Digest
	for _, d := range slices.Concat(lists...) {
		if strings.HasPrefix(d.ArtifactType, bundlePrefix) || d.ArtifactType == "" || d.ArtifactType == emptyType {
			digests = append(digests, evidence.Digest(d.Digest.String()))
		}
	}
	return digests
}

func readAll(ctx context.Context, in *repository.Repository, about evidence.Digest, digests []evidence.Digest) ([]Attached, error) {
	var all []Attached
	for _, digest := range digests {
		envelope, err := readEnvelope(ctx, in, about, digest)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		var right *repository.MissingRight
		if errors.As(err, &right) {
			return nil, err
		}
		if envelope != nil || err != nil {
			all = append(all, Attached{Manifest: digest, Envelope: envelope, Err: err})
		}
	}
	return all, nil
}

// readEnvelope returns nil for a manifest that is no Sigstore bundle with a
// DSSE envelope, or is about something else.
func readEnvelope(ctx context.Context, in *repository.Repository, about, digest evidence.Digest) ([]byte, error) {
	raw, err := in.Manifest(ctx, string(digest))
	if err != nil {
		return nil, err
	}
	if raw == nil {
		return nil, fmt.Errorf("%s@%s is listed and not there", in, digest)
	}
	var m v1.Manifest
	if err := json.Unmarshal(raw.Raw, &m); err != nil {
		return nil, fmt.Errorf("%s@%s: %w", in, digest, err)
	}
	if m.Subject == nil || m.Subject.Digest.String() != string(about) || len(m.Layers) != 1 ||
		!strings.HasPrefix(string(m.Layers[0].MediaType), bundlePrefix) {
		return nil, nil
	}
	bundle, err := in.Blob(ctx, m.Layers[0], maxBundle)
	if err != nil {
		return nil, err
	}
	envelope, err := unwrap(bundle)
	if err != nil {
		return nil, fmt.Errorf("%s@%s: %w", in, digest, err)
	}
	return envelope, nil
}

// Copy attaches to the bundle in one repository what is attached to it in
// another. What cannot be read is an error: evidence is not lost on the way.
func Copy(ctx context.Context, to, from *repository.Repository, about evidence.Digest) error {
	all, err := List(ctx, from, about)
	if err != nil {
		return err
	}
	for _, a := range all {
		if a.Err != nil {
			return fmt.Errorf("copy the statements about %s: %w", about, a.Err)
		}
		if _, err := Put(ctx, to, a.Envelope); err != nil {
			return err
		}
	}
	return nil
}
