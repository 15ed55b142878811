package cli

import (
	"errors"
	"os"
	"path/filepath"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/gitlab"
)

// assets are the files of the bundle that people look for beside a release.
func (facts *releaseFacts) assets(d *release.Draft, svc *service) ([]gitlab.Asset, error) {
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
	return list, nil
}

// statementsAsset has one envelope in each line.
func statementsAsset(d *release.Draft, svc *service, statements [][]byte) gitlab.Asset {
	var lines []byte
	for _, s := range statements {
		lines = append(append(lines, s...), '\n')
	}
	return asset(svc.Name, d.Version, statementsSuffix, lines)
}

// statementsSuffix ends the name of the file with the signed statements, as
// in-toto calls it (attestation framework, spec/v1/bundle.md).
const statementsSuffix = ".intoto.jsonl"

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
