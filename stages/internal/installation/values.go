package installation

import (
	"maps"
	"strings"
)

// ImageValues are the values that make a chart run an image, by the
// convention of charts made by `helm create`. A reference by digest is
// given in a form that charts without a value for the digest understand too.
func ImageValues(ref string) map[string]any {
	image := map[string]any{"pullPolicy": "IfNotPresent"}
	if repository, digest, ok := strings.Cut(ref, "@"); ok {
		image["repository"], image["digest"], image["tag"] = repository, digest, "bundle@"+digest
		return map[string]any{"image": image}
	}
	at := strings.LastIndexByte(ref, ':')
	image["repository"], image["tag"] = ref[:at], ref[at+1:]
	return map[string]any{"image": image}
}

// Merge returns a with b laid over it, map by map; neither is changed.
func Merge(a, b map[string]any) map[string]any {
	out := maps.Clone(a)
	if out == nil {
		out = map[string]any{}
	}
	for k, v := range b {
		inner, isMap := v.(map[string]any)
		below, wasMap := out[k].(map[string]any)
		if isMap && wasMap {
			v = Merge(below, inner)
		}
		out[k] = v
	}
	return out
}
