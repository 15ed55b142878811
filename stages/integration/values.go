package integration

import (
	"fmt"
	"maps"
	"regexp"
	"strings"

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

// imageRef is the name of the bundle inside the cluster. It has the digest in
// it: an old image of the same version can never be taken for it.
func imageRef(b *container.Bundle) string {
	tag := strings.ReplaceAll(b.Version, "+", "-")
	return fmt.Sprintf("pipeline.local/%s:%s-%s", b.Name, tag, b.Digest.Short())
}

// imageValues are the values that make a chart run an image, by the
// convention of charts made by `helm create`. A reference by digest is
// given in a form that charts without a value for the digest understand too.
func imageValues(ref string) map[string]any {
	image := map[string]any{"pullPolicy": "IfNotPresent"}
	if repository, digest, ok := strings.Cut(ref, "@"); ok {
		image["repository"], image["digest"], image["tag"] = repository, digest, "bundle@"+digest
		return map[string]any{"image": image}
	}
	at := strings.LastIndexByte(ref, ':')
	image["repository"], image["tag"] = ref[:at], ref[at+1:]
	return map[string]any{"image": image}
}

// merge returns a with b laid over it, map by map; neither is changed.
func merge(a, b map[string]any) map[string]any {
	out := maps.Clone(a)
	if out == nil {
		out = map[string]any{}
	}
	for k, v := range b {
		inner, isMap := v.(map[string]any)
		below, wasMap := out[k].(map[string]any)
		if isMap && wasMap {
			v = merge(below, inner)
		}
		out[k] = v
	}
	return out
}

// replacement puts the tested image in the place of the one that a manifest
// names: any reference whose last path element is the service's name.
type replacement struct{ name, ref string }

func (r *replacement) apply(manifest []byte) []byte {
	line := regexp.MustCompile(`(?m)^(\s*(?:-\s+)?image:\s*)["']?(?:[^\s"'#]*/)?` + regexp.QuoteMeta(r.name) + `(?:[:@][^\s"'#]*)?["']?[ \t]*$`)
	return line.ReplaceAll(manifest, []byte("${1}"+r.ref))
}
