package integration

import (
	"fmt"
	"regexp"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/container"
)

// readBundle reads what the container stage says of its bundle.
func readBundle(job *pipeline.Job, need string) (*container.Bundle, error) {
	folder, ok := job.Need(need)
	if !ok {
		return nil, fmt.Errorf("stage %s does not need %s", job.Node.Name, need)
	}
	b, err := container.ReadBundle(folder)
	if err != nil {
		return nil, fmt.Errorf("read the bundle: %w", err)
	}
	return b, nil
}

// replacement puts the tested image in the place of the one that a manifest
// names: any reference whose last path element is the service's name.
type replacement struct{ name, ref string }

func (r *replacement) apply(manifest []byte) []byte {
	line := regexp.MustCompile(`(?m)^(\s*(?:-\s+)?image:\s*)["']?(?:[^\s"'#]*/)?` + regexp.QuoteMeta(r.name) + `(?:[:@][^\s"'#]*)?["']?[ \t]*$`)
	return line.ReplaceAll(manifest, []byte("${1}"+r.ref))
}
