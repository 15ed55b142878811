package reporttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// strictly decodes JSON without unknown fields, a byte order mark and a rest.
func strictly(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("something follows the document")
	}
	return nil
}

func anyJSON(data []byte) error {
	var v any
	return strictly(data, &v)
}

// codeQuality is docs.gitlab.com/ci/testing/code_quality, "Code Quality report
// format".
func codeQuality(data []byte) error {
	var list []struct {
		Description string `json:"description"`
		CheckName   string `json:"check_name"`
		Fingerprint string `json:"fingerprint"`
		Severity    string `json:"severity"`
		Location    struct {
			Path  string `json:"path"`
			Lines struct {
				Begin int `json:"begin"`
			} `json:"lines"`
		} `json:"location"`
	}
	if err := strictly(data, &list); err != nil {
		return err
	}
	if list == nil {
		return errors.New("no list")
	}
	seen := map[string]bool{}
	for _, v := range list {
		if v.Description == "" || v.CheckName == "" || v.Fingerprint == "" || seen[v.Fingerprint] || v.Location.Path == "" || v.Location.Lines.Begin < 1 ||
			!slices.Contains([]string{"info", "minor", "major", "critical", "blocker"}, v.Severity) {
			return fmt.Errorf("violation %+v: something is absent, unknown or not unique", v)
		}
		seen[v.Fingerprint] = true
		if err := inRepository(v.Location.Path); err != nil {
			return err
		}
	}
	return nil
}

// cycloneDX reads with the library of the makers; GitLab takes up to 1.6.
func cycloneDX(data []byte) error {
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(data), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		return err
	}
	if bom.BOMFormat != "CycloneDX" || bom.SpecVersion < cdx.SpecVersion1_4 || bom.SpecVersion > cdx.SpecVersion1_6 || bom.Metadata == nil || bom.Metadata.Component == nil {
		return fmt.Errorf("format %q, version %v; expected CycloneDX 1.4 to 1.6 about a component", bom.BOMFormat, bom.SpecVersion)
	}
	return nil
}

func annotations(data []byte) error {
	var sections map[string][]struct {
		Link *struct {
			Label string `json:"label"`
			URL   string `json:"url"`
		} `json:"external_link"`
	}
	if err := strictly(data, &sections); err != nil {
		return err
	}
	for name, list := range sections {
		for _, a := range list {
			if a.Link == nil || a.Link.Label == "" {
				return fmt.Errorf("section %s: an annotation without a link or a label", name)
			}
			if u, err := url.Parse(a.Link.URL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
				return fmt.Errorf("section %s: address %q", name, a.Link.URL)
			}
		}
	}
	return nil
}
