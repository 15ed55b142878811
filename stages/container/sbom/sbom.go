// Package sbom writes the bill of materials of a service.
//
// The format is CycloneDX 1.6 as JSON: the service as main component with its
// binaries and their hashes, and one library component per Go module that is
// linked in. It says what the bytes consist of and nothing about when and where
// it was written: there is no timestamp, and the serial number is derived from
// the content, so that the same content is the same document.
package sbom

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/uuid"
)

// Module is a Go module that is part of the program.
type Module struct {
	Path    string
	Version string
	Sum     string // as go.sum has it, "h1:..."; may be empty
}

// Binary is a program in one of the images.
type Binary struct {
	Platform string // "linux/amd64"
	Name     string
	SHA256   string // hex; may be empty
}

// Service is what the document describes.
type Service struct {
	Name    string
	Version string
	Module  string // Go module path, empty without one
	// Base is the base image by digest ("repository@sha256:..."), empty for none.
	Base     string
	Binaries []Binary
	Modules  []Module
}

// JSON returns the document.
func JSON(s Service) ([]byte, error) {
	bom := document(s)
	content, err := encode(bom)
	if err != nil {
		return nil, err
	}
	bom.SerialNumber = serial(content)
	return encode(bom)
}

func document(s Service) *cdx.BOM {
	main := mainComponent(s)
	components, refs := libraries(s.Modules)
	if s.Base != "" {
		base := baseComponent(s.Base)
		components = append(components, base)
		refs = append(refs, base.BOMRef)
	}
	bom := cdx.NewBOM()
	bom.SpecVersion = cdx.SpecVersion1_6
	bom.JSONSchema = "http://cyclonedx.org/schema/bom-1.6.schema.json"
	bom.Metadata = &cdx.Metadata{Component: &main}
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: main.BOMRef, Dependencies: &refs}}
	return bom
}

func mainComponent(s Service) cdx.Component {
	c := cdx.Component{
		Type: cdx.ComponentTypeApplication, Name: s.Name, Version: s.Version, BOMRef: "service:" + s.Name,
	}
	if s.Module != "" {
		c.PackageURL = purl(s.Module, "v"+strings.TrimPrefix(s.Version, "v"))
	}
	var files []cdx.Component
	for _, b := range s.Binaries {
		files = append(files, cdx.Component{
			Type: cdx.ComponentTypeFile, Name: b.Platform + "/" + b.Name,
			BOMRef: "file:" + b.Platform + "/" + b.Name, Hashes: sha256Hash(b.SHA256),
		})
	}
	slices.SortFunc(files, byRef)
	if len(files) > 0 {
		c.Components = &files
	}
	return c
}

// libraries returns the modules and their references, sorted, each once.
func libraries(modules []Module) ([]cdx.Component, []string) {
	components := make([]cdx.Component, 0, len(modules))
	for _, m := range modules {
		url := purl(m.Path, m.Version)
		components = append(components, cdx.Component{
			Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version,
			BOMRef: url, PackageURL: url, Scope: cdx.ScopeRequired, Hashes: sha256Hash(sumHex(m.Sum)),
		})
	}
	slices.SortFunc(components, byRef)
	components = slices.CompactFunc(components, func(a, b cdx.Component) bool { return a.BOMRef == b.BOMRef })
	refs := make([]string, len(components))
	for i, c := range components {
		refs[i] = c.BOMRef
	}
	return components, refs
}

func baseComponent(ref string) cdx.Component {
	name, digest, _ := strings.Cut(ref, "@")
	return cdx.Component{
		Type: cdx.ComponentTypeContainer, Name: name, Version: digest, BOMRef: "image:" + ref,
		Hashes: sha256Hash(strings.TrimPrefix(digest, "sha256:")),
	}
}

func byRef(a, b cdx.Component) int { return cmp.Compare(a.BOMRef, b.BOMRef) }

// purl returns the package URL of a Go module (purl-spec, type "golang"):
// path elements and version percent-encoded, a version such as
// "v2.0.0+incompatible" included.
func purl(module, version string) string {
	elements := strings.Split(strings.ToLower(module), "/")
	for i, e := range elements {
		elements[i] = escape(e)
	}
	p := "pkg:golang/" + strings.Join(elements, "/")
	if version != "" {
		p += "@" + escape(version)
	}
	return p
}

func escape(s string) string { return strings.ReplaceAll(url.PathEscape(s), "+", "%2B") }

// sumHex turns "h1:" and base64 into hex. That is the SHA-256 of a list of the
// module's files, the only hash that Go knows of a module.
func sumHex(sum string) string {
	encoded, ok := strings.CutPrefix(sum, "h1:")
	if !ok {
		return ""
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw) != sha256.Size {
		return ""
	}
	return hex.EncodeToString(raw)
}

func sha256Hash(hexes string) *[]cdx.Hash {
	if hexes == "" {
		return nil
	}
	return &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hexes}}
}

// serial makes a UUID of version 8 (RFC 9562, 5.8) from the content.
func serial(content []byte) string {
	sum := sha256.Sum256(content)
	var id uuid.UUID
	copy(id[:], sum[:])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id.URN()
}

func encode(bom *cdx.BOM) ([]byte, error) {
	var out bytes.Buffer
	err := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).EncodeVersion(bom, cdx.SpecVersion1_6)
	if err != nil {
		return nil, fmt.Errorf("encode CycloneDX: %w", err)
	}
	return out.Bytes(), nil
}
