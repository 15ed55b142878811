package scaffold

import (
	"slices"
	"strings"
)

// deploy looks how the service gets into a cluster, and writes a chart where
// nothing says it.
func (t *translation) deploy() {
	if t.main == "" && t.f.Dockerfile == nil {
		return
	}
	charts, m := t.f.Charts, t.f.Manifests
	switch {
	case len(charts) > 0:
		t.charts(charts)
		return
	case t.usesManifests():
		t.found("%s: manifests%s", m.Dir, ofWorkload(m))
		return
	case t.f.Config != "" && configuresDeployment(t.f.Config):
		return
	case m != nil:
		t.missing("manifests that every cluster takes", "%s, so they are left alone and deploy/chart is written from what they say", strings.Join(m.Obstacles, "; "))
		if w := m.Workload; w != nil && len(w.Needs) > 0 {
			t.missing("parts of the chart", "%s has %s, which deploy/chart lacks: add what the service needs", m.Dir, strings.Join(w.Needs, ", "))
		}
	default:
		t.missing("a chart or manifests", "deploy/chart is written: a Deployment and a Service that run the image")
	}
	for _, f := range chartFiles(t.chartFacts()) {
		t.add(t.f, f.Path, f.Content)
	}
}

// ofWorkload tells what the manifests are about.
func ofWorkload(m *Manifests) string {
	if m.Workload == nil {
		return ""
	}
	return " of " + m.Workload.Name
}

// configuresDeployment reports whether a pipeline.yaml says how the service is
// deployed, or that it is not.
func configuresDeployment(config string) bool {
	for line := range strings.Lines(config) {
		if strings.HasPrefix(line, "chart:") || strings.HasPrefix(line, "manifests:") {
			return true
		}
	}
	return false
}

// charts takes the one that is found without being named, or the only one.
func (t *translation) charts(charts []Chart) {
	i := slices.IndexFunc(charts, func(c Chart) bool { return c.Dir == "deploy/chart" })
	if i < 0 {
		i = slices.IndexFunc(charts, func(c Chart) bool { return c.Dir == "chart" })
	}
	if i < 0 {
		i = max(0, slices.IndexFunc(charts, func(c Chart) bool { return c.Name == t.name }))
		if len(charts) > 1 && charts[i].Name != t.name {
			t.note("chart", "There are several charts. Which one is the service's?")
		}
	}
	c := charts[i]
	t.found("%s: the chart", c.Dir)
	if !c.TakesImage {
		t.missing("image.repository in "+c.Dir, "the integration stage sets image.repository, image.tag and image.pullPolicy, and nothing in the chart uses them: it would run another image than the one under test")
	}
	if c.Dir != "deploy/chart" && c.Dir != "chart" {
		t.chart = c.Dir
	}
}

// apis looks for descriptors.
func (t *translation) apis() {
	if len(t.f.Descriptors) > 0 {
		t.found("descriptors: %s", strings.Join(t.f.Descriptors, ", "))
	} else if len(t.f.Protos) > 0 && t.f.Config == "" {
		t.missing("a descriptor of "+examples(t.f.Protos), "a change of the API is not seen when a version is proven: write one (`buf build -o api/%s.binpb`, or protoc --include_imports --descriptor_set_out) and name it under api.provides", t.name)
	}
}
