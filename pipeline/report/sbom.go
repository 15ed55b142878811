package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// bomFiles copies the bills of materials, one per service: the last that is
// named. One that is gone by now (outputs may be deleted) is none.
func (run Run) bomFiles() ([]file, error) {
	var files []file
	used := map[string]bool{}
	for _, service := range run.services() {
		path := ""
		for _, s := range run.Stages {
			if s.Service == service && s.SBOM != "" {
				path = s.SBOM
			}
		}
		if path == "" {
			continue
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the bill of materials of %s: %w", service, err)
		}
		files = append(files, file{free(used, fileName(service), ".cdx.json"), data})
	}
	return files, nil
}
