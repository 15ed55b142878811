package integration

import (
	"context"
	"fmt"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/gotest"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
	"gitlab.com/selfcontained/pipeline/stages/internal/installation"
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
	d.job.Findings.Summary = fmt.Sprintf("%s in %s%s", result.Summary(), d.lease.Cluster().Name, installation.Times(d.job.Findings.Phases, "ready", "tests"))
	return result.Err(Tag)
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
