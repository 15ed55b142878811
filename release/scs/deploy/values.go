package deploy

import (
	"maps"
	"strings"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// imageValues are the values that make a chart run an image, by the convention of
// charts made by `helm create`, as the integration stage sets them. A reference
// by digest is given in a form that charts without a value for the digest
// understand too.
func imageValues(ref string) map[string]any {
	image := map[string]any{"pullPolicy": "IfNotPresent"}
	if repository, digest, ok := strings.Cut(ref, "@"); ok {
		image["repository"], image["digest"], image["tag"] = repository, digest, "bundle@"+digest
		return map[string]any{"image": image}
	}
	repository, tag := ref, ""
	if colon := strings.LastIndexByte(ref, ':'); colon > strings.LastIndexByte(ref, '/') {
		repository, tag = ref[:colon], ref[colon+1:]
	}
	image["repository"], image["tag"], image["digest"] = repository, tag, ""
	return map[string]any{"image": image}
}

// merge returns a with b laid over it, map by map; neither is changed.
func merge(a, b map[string]any) map[string]any {
	out := maps.Clone(a)
	if out == nil {
		out = map[string]any{}
	}
	for k, v := range b {
		above, isMap := v.(map[string]any)
		below, wasMap := out[k].(map[string]any)
		if isMap && wasMap {
			v = merge(below, above)
		}
		out[k] = v
	}
	return out
}

// Labels of the Helm releases, beside those of the space.
const (
	versionLabel = "pipeline.selfcontained/version"
	bundleLabel  = "pipeline.selfcontained/bundle"
	stateLabel   = "pipeline.selfcontained/state"
)

// labels are those of the member's release: `helm list --selector` finds by them.
func (d *Deployment) labels(m *Member) map[string]string {
	return map[string]string{
		kindtest.ManagedLabel: kindtest.SpaceManager, kindtest.SystemLabel: d.System, kindtest.EnvironmentLabel: d.Environment,
		versionLabel: labelVersion(m.Version), bundleLabel: labelDigest(m.Bundle),
	}
}

// labelVersion is a semantic version as the value of a label, which has no "+" and
// at most 63 letters.
func labelVersion(version string) string {
	v := strings.ReplaceAll(version, "+", "_")
	return strings.TrimRight(v[:min(len(v), 63)], "-_.")
}

// labelDigest is as much of a digest as the value of a label can hold.
func labelDigest(d evidence.Digest) string {
	hex := strings.TrimPrefix(string(d), "sha256:")
	return hex[:min(len(hex), 63)]
}
