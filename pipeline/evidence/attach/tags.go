package attach

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
)

// indexTag is the tag of the index of referrers.
func indexTag(about evidence.Digest) string { return "sha256-" + about.Hex() }

// ownTag is the tag of one statement. It is a function of the content: two
// writers of one tag write the same.
func ownTag(about, manifest evidence.Digest) string {
	return indexTag(about) + "." + manifest.Hex()[:32]
}

// maxLooks bounds how often the index is written because others write too.
const maxLooks = 100

// tagReferrer makes a manifest findable without the referrers API: by its own
// tag, and then by the index.
func tagReferrer(ctx context.Context, to *repository.Repository, about evidence.Digest, m *repository.Manifest) error {
	if err := to.PutTag(ctx, ownTag(about, m.Digest()), m); err != nil {
		return err
	}
	for range maxLooks {
		index, changed, err := completeIndex(ctx, to, about)
		if err != nil || !changed {
			return err
		}
		if err := to.PutTag(ctx, indexTag(about), index); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s:%s is written by others all the time; run again", to, indexTag(about))
}

// completeIndex returns the index with the manifests that have a tag of their
// own, and whether it lacks any of them now.
func completeIndex(ctx context.Context, to *repository.Repository, about evidence.Digest) (*repository.Manifest, bool, error) {
	// Tags first: what is tagged later completes the index itself.
	tags, err := ownTags(ctx, to, about)
	if err != nil {
		return nil, false, err
	}
	index, err := readIndex(ctx, to, about)
	if err != nil {
		return nil, false, err
	}
	there := map[string]bool{}
	for _, d := range index.Manifests {
		there[ownTag(about, evidence.Digest(d.Digest.String()))] = true
	}
	changed := false
	for _, tag := range tags {
		if there[tag] {
			continue
		}
		desc, err := describe(ctx, to, about, tag)
		if err != nil {
			return nil, false, err
		}
		if desc != nil {
			index.Manifests, changed = append(index.Manifests, *desc), true
		}
	}
	slices.SortFunc(index.Manifests, func(a, b v1.Descriptor) int {
		return strings.Compare(a.Digest.String(), b.Digest.String())
	})
	raw, err := json.Marshal(index)
	return &repository.Manifest{MediaType: types.OCIImageIndex, Raw: raw}, changed, err
}

// describe returns what the index says of a statement's manifest: artifact type
// and annotations are copied from it. Nil is a tag that only looks like ours.
func describe(ctx context.Context, to *repository.Repository, about evidence.Digest, tag string) (*v1.Descriptor, error) {
	raw, err := to.Manifest(ctx, tag)
	if err != nil || raw == nil {
		return nil, err
	}
	var m v1.Manifest
	if json.Unmarshal(raw.Raw, &m) != nil || m.Subject == nil ||
		m.Subject.Digest.String() != string(about) || tag != ownTag(about, raw.Digest()) {
		return nil, nil
	}
	desc := descriptor(raw.MediaType, raw.Raw)
	desc.ArtifactType, desc.Annotations = m.ArtifactType, m.Annotations
	return &desc, nil
}

// readIndex returns the index of referrers; an empty one when it is not there.
func readIndex(ctx context.Context, in *repository.Repository, about evidence.Digest) (*v1.IndexManifest, error) {
	raw, err := in.Manifest(ctx, indexTag(about))
	if err != nil {
		return nil, err
	}
	index := &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{}}
	if raw == nil {
		return index, nil
	}
	if raw.MediaType != types.OCIImageIndex {
		return nil, fmt.Errorf("%s:%s is %s, not an index of referrers; delete the tag", in, indexTag(about), raw.MediaType)
	}
	if err := json.Unmarshal(raw.Raw, index); err != nil {
		return nil, fmt.Errorf("%s:%s: %w", in, indexTag(about), err)
	}
	return index, nil
}

func ownTags(ctx context.Context, in *repository.Repository, about evidence.Digest) ([]string, error) {
	tags, err := in.Tags(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(tags, func(tag string) bool {
		return !strings.HasPrefix(tag, indexTag(about)+".") || len(tag) != len(ownTag(about, about))
	}), nil
}
