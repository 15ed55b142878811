package scs

import (
	"bytes"
	"encoding/json"
	"fmt"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// The annotations of a system's index (OCI image specification 1.1,
// image-index.md and annotations.md) and its artifact type.
const (
	ArtifactType      = "application/vnd.selfcontained.system.v1"
	RoleAnnotation    = "vnd.selfcontained.role" // "system"
	SystemAnnotation  = "vnd.selfcontained.system"
	ServiceAnnotation = "vnd.selfcontained.service"
	SuiteAnnotation   = "vnd.selfcontained.suite"
	ValuesAnnotation  = "vnd.selfcontained.values"
	versionAnnotation = "org.opencontainers.image.version"
	indexType         = "application/vnd.oci.image.index.v1+json"
)

// index is an OCI image index with the fields that a system has, in the order in
// which they are written.
type index struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Manifests     []descriptor      `json:"manifests"`
	Annotations   map[string]string `json:"annotations"`
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      evidence.Digest   `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations"`
}

// IndexType is the media type of Index.
func (c Combination) IndexType() string { return indexType }

// Index returns the canonical form of a combination: an OCI index of its
// bundles. Equal combinations have equal bytes; the sources are not in it. The
// combination has to be one that Check finds nothing wrong with.
func (c Combination) Index() []byte {
	x := index{SchemaVersion: 2, MediaType: indexType, ArtifactType: ArtifactType, Annotations: map[string]string{
		RoleAnnotation: "system", SystemAnnotation: c.System,
	}}
	if c.Suite != "" {
		x.Annotations[SuiteAnnotation] = string(c.Suite)
	}
	if c.Values != "" {
		x.Annotations[ValuesAnnotation] = string(c.Values)
	}
	for _, m := range c.Members {
		x.Manifests = append(x.Manifests, descriptor{indexType, m.Bundle, m.Size, map[string]string{
			ServiceAnnotation: m.Service, versionAnnotation: m.Version,
		}})
	}
	data, err := json.Marshal(x)
	if err != nil {
		panic(err) // text and numbers can always be written
	}
	return data
}

// ID is the identity of a combination: the digest of its index.
func (c Combination) ID() evidence.Digest { return evidence.Sum(c.Index()) }

// ReadIndex reads a combination from its index; the sources are empty. Only the
// canonical form is accepted.
func ReadIndex(raw []byte) (*Combination, error) {
	var x index
	if err := json.Unmarshal(raw, &x); err != nil {
		return nil, fmt.Errorf("index of a system: %w", err)
	}
	c := &Combination{
		System: x.Annotations[SystemAnnotation],
		Suite:  evidence.Digest(x.Annotations[SuiteAnnotation]), Values: evidence.Digest(x.Annotations[ValuesAnnotation]),
	}
	for _, d := range x.Manifests {
		c.Members = append(c.Members, Member{
			Service: d.Annotations[ServiceAnnotation], Version: d.Annotations[versionAnnotation], Bundle: d.Digest, Size: d.Size,
		})
	}
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("index of a system: %w", err)
	}
	if !bytes.Equal(c.Index(), raw) {
		return nil, fmt.Errorf("index of a system: it is not in the canonical form")
	}
	return c, nil
}
