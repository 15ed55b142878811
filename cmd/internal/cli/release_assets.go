package cli

import (
	"errors"
	"os"
	"path/filepath"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/gitlab"
)

// assets are the files that people look for beside a release.
func (facts *releaseFacts) assets(d *release.Draft, svc *service, statements [][]byte) ([]gitlab.Asset, error) {
	var list []gitlab.Asset
	for _, a := range []struct{ file, name string }{
		{"chart.tgz", ".tgz"}, {"sbom.cdx.json", ".cdx.json"},
	} {
		data, err := os.ReadFile(filepath.Join(facts.out, a.file))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, asset(svc.Name, d.Version, a.name, data))
	}
	var lines []byte
	for _, s := range statements {
		lines = append(append(lines, s...), '\n')
	}
	if len(lines) > 0 {
		list = append(list, asset(svc.Name, d.Version, ".intoto.jsonl", lines))
	}
	return append(list, checksums(svc.Name, d.Version, list)), nil
}

func asset(service, version, suffix string, data []byte) gitlab.Asset {
	return gitlab.Asset{
		Package: service, Version: version, Name: service + "-" + version + suffix,
		SHA256: evidence.Sum(data).Hex(), Content: data,
	}
}

// checksums is a file that `sha256sum --check` takes.
func checksums(service, version string, list []gitlab.Asset) gitlab.Asset {
	var lines []byte
	for _, a := range list {
		lines = append(lines, a.SHA256+"  "+a.Name+"\n"...)
	}
	return asset(service, version, ".sha256", lines)
}
