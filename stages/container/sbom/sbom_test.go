package sbom_test

import (
	"bytes"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"gitlab.com/selfcontained/pipeline/stages/container/sbom"
)

func service() sbom.Service {
	return sbom.Service{
		Name: "shop", Version: "1.2.3", Module: "example.com/shop", Base: "r/base@sha256:" + strings.Repeat("ab", 32),
		Binaries: []sbom.Binary{{Platform: "linux/amd64", Name: "shop", SHA256: strings.Repeat("01", 32)}},
		Modules: []sbom.Module{
			{Path: "github.com/BurntSushi/toml", Version: "v1.6.0", Sum: "h1:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="},
			{Path: "example.com/old", Version: "v2.0.0+incompatible", Sum: "broken"},
			{Path: "example.com/old", Version: "v2.0.0+incompatible"},
		},
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	data, err := sbom.JSON(service())
	if err != nil {
		t.Fatal(err)
	}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(data), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	var refs []string
	for _, c := range *bom.Components {
		refs = append(refs, c.BOMRef)
	}
	want := "pkg:golang/example.com/old@v2.0.0%2Bincompatible pkg:golang/github.com/burntsushi/toml@v1.6.0 " +
		"image:r/base@sha256:" + strings.Repeat("ab", 32)
	if got := strings.Join(refs, " "); got != want {
		t.Errorf("components\n%s\nwant\n%s", got, want)
	}
	toml := (*bom.Components)[1]
	if got := (*toml.Hashes)[0].Value; got != "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20" {
		t.Errorf("hash %s", got)
	}
	if bom.SpecVersion != cdx.SpecVersion1_6 || bom.Metadata.Timestamp != "" {
		t.Errorf("version %s, timestamp %q", bom.SpecVersion, bom.Metadata.Timestamp)
	}
}

func TestSerialFollowsContent(t *testing.T) {
	t.Parallel()
	one, err := sbom.JSON(service())
	if err != nil {
		t.Fatal(err)
	}
	other := service()
	other.Modules[0], other.Modules[1] = other.Modules[1], other.Modules[0]
	two, err := sbom.JSON(other)
	if err != nil {
		t.Fatal(err)
	}
	other.Version = "1.2.4"
	three, err := sbom.JSON(other)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one, two) {
		t.Error("the order of the modules counts")
	}
	if serial(t, one) == serial(t, three) {
		t.Error("another version has the same serial number")
	}
}

func serial(t *testing.T, doc []byte) string {
	t.Helper()
	_, rest, ok := strings.Cut(string(doc), `"serialNumber": "urn:uuid:`)
	if !ok {
		t.Fatalf("no serial number in\n%s", doc)
	}
	return rest[:36]
}
