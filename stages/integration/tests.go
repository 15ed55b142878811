package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/gotest"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// test runs the tests with the build tag, and only these.
func (d *deployment) test(ctx context.Context, binaries func() *gotest.Binaries) error {
	files, err := gotool.TestFiles(d.stage.o.Service.Dir, Tag)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return &pipeline.NotTested{
			Why:    "the service gets ready, but there is no integration test",
			Remedy: "write Go tests with the line //go:build " + Tag + " that dial $PIPELINE_ADDR",
		}
	}
	env, stop, err := d.endpoints(ctx)
	if err != nil {
		return err
	}
	defer stop()
	compiled := binaries()
	d.job.Say("testing")
	done := d.job.Phase("tests")
	result, err := compiled.Run(ctx, d.job, gotest.Options{
		Args: []string{"-tags=" + Tag, "-count=1"}, Packages: gotool.Packages(files), Run: names(files), Env: env,
	})
	done()
	if err != nil {
		return err
	}
	d.job.Findings.Summary = fmt.Sprintf("%s in %s%s", result.Summary(), d.lease.Cluster().Name, times(d.job.Findings.Phases, "ready", "tests"))
	return result.Err(Tag)
}

// times lists how long some phases took: ", ready 1.2 s, tests 0.4 s".
func times(phases []pipeline.Phase, names ...string) string {
	var b strings.Builder
	for _, p := range phases {
		if slices.Contains(names, p.Name) {
			fmt.Fprintf(&b, ", %s %.1f s", p.Name, p.Took.Seconds())
		}
	}
	return b.String()
}

// names is the pattern that selects the tagged tests among those that are
// compiled along with them.
func names(files []gotool.TestFile) string {
	var all []string
	for _, f := range files {
		all = append(all, f.Tests...)
	}
	return "^(" + strings.Join(all, "|") + ")$"
}

// firstLines returns at most n lines of text.
func firstLines(text string, n int) string {
	lines := strings.SplitAfterN(text, "\n", n+1)
	return strings.TrimRight(strings.Join(lines[:min(n, len(lines))], ""), "\n")
}
