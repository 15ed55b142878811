package module

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/stages/gotest"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// moduleTests runs the service's tests with the build tag "module" against the
// running program. They are recorded one by one; the check sums them up.
func (c *checks) moduleTests(ctx context.Context, addr string) error {
	return c.check("tests", func() error {
		files, err := gotool.TestFiles(c.stage.o.Dir, Kind)
		if err != nil {
			return fmt.Errorf("look for module tests: %w", err)
		}
		run := runExpression(files)
		if run == "" {
			return &skipError{`the service has no tests with "//go:build module"`}
		}
		data := filepath.Join(c.job.Scratch, "data")
		if err := os.MkdirAll(data, 0o755); err != nil {
			return err
		}
		result, err := c.binaries().Run(ctx, c.job, gotest.Options{
			Args: []string{"-tags=module", "-count=1"}, Packages: gotool.Packages(files), Run: run, Dir: c.stage.o.Dir,
			Env: []string{"PIPELINE_ADDR=" + addr, "PIPELINE_IMAGE=" + c.reference(), "PIPELINE_DATA=" + data},
		})
		if err != nil {
			return err
		}
		c.tests = result.Executed()
		if failure := result.Failure(); failure != nil {
			if _, noPort := c.port(); noPort != nil {
				failure.Cause = "PIPELINE_ADDR is empty: " + noPort.Error() + "\n" + failure.Cause
			}
			return failure
		}
		if c.tests == 0 {
			return &skipError{"none of the module tests was executed, all of them were skipped"}
		}
		return nil
	})
}

// runExpression names the tests of the tagged files alone: those without the
// tag in the same packages are the unit stage's. Empty when there are none.
func runExpression(files []gotool.TestFile) string {
	var names []string
	for _, f := range files {
		for _, name := range slices.Concat(f.Tests, f.Fuzzers, f.Examples) {
			names = append(names, regexp.QuoteMeta(name))
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return "^(" + strings.Join(slices.Compact(names), "|") + ")$"
}

// reference is what the tests call the image: the bundle by its digest.
func (c *checks) reference() string {
	name := c.image.bundle.Ref
	if name == "" {
		name = c.image.bundle.Name
	}
	name, _, _ = strings.Cut(name, "@")
	return name + "@" + c.image.bundle.Digest
}
