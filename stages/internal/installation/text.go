package installation

import (
	"fmt"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
)

// EnvName writes a service's name as part of an environment variable's.
func EnvName(service string) string {
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(service))
}

// Times lists how long some phases took: ", ready 1.2 s, tests 0.4 s".
func Times(phases []pipeline.Phase, names ...string) string {
	var b strings.Builder
	for _, p := range phases {
		if slices.Contains(names, p.Name) {
			fmt.Fprintf(&b, ", %s %.1f s", p.Name, p.Took.Seconds())
		}
	}
	return b.String()
}

// ForeignImages says that a chart does not use the image that it is given.
func ForeignImages(summary, ref string, images []kindtest.PodImage) *pipeline.Failure {
	cause := &strings.Builder{}
	fmt.Fprintf(cause, "The chart has to use the values image.repository and image.tag, like this:\n"+
		"  image: \"{{ .Values.image.repository }}:{{ .Values.image.tag }}\"\n"+
		"Its pods should run %s, but they run:\n", ref)
	for _, i := range images {
		fmt.Fprintf(cause, "  %s/%s: %s\n", i.Pod, i.Container, i.Image)
	}
	return &pipeline.Failure{Summary: summary, Cause: cause.String()}
}

// SameRef reports whether two references name the same image: they are equal,
// or have repository and digest in common, whatever tag stands between.
func SameRef(a, b string) bool {
	repositoryA, digestA, ok := strings.Cut(a, "@")
	repositoryB, digestB, _ := strings.Cut(b, "@")
	return a == b || ok && digestA == digestB && withoutTag(repositoryA) == withoutTag(repositoryB)
}

func withoutTag(ref string) string {
	if at := strings.LastIndexByte(ref, ':'); at > strings.LastIndexByte(ref, '/') {
		return ref[:at]
	}
	return ref
}
