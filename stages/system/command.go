package system

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// commandSuite is a suite in another language: a command that ends well when
// the system does what it should.
type commandSuite struct {
	dir  string
	argv []string
}

func (commandSuite) settle() {}

func (c commandSuite) run(ctx context.Context, job *pipeline.Job, env []string) (string, error) {
	defer job.Phase("tests")()
	cmd := job.Command(c.argv...)
	cmd.Dir, cmd.Env = c.dir, append(cmd.Env, env...)
	name := proc.Quote(c.argv)
	fmt.Fprintf(job.Log, "$ %s\n", name)
	err := cmd.Run(ctx)
	var failed *proc.Error
	switch {
	case ctx.Err() != nil:
		return "", err
	case errors.As(err, &failed) && failed.ExitCode >= 0:
		job.Findings.Tests = append(job.Findings.Tests, pipeline.Test{Package: "system", Name: name, Status: pipeline.TestFailed, Output: failed.Stderr})
		return "", &pipeline.Failure{Summary: fmt.Sprintf("%s: exit status %d", name, failed.ExitCode), Cause: lastLines(failed.Stderr, gotool.CauseLines)}
	case err != nil:
		return "", &pipeline.NotTested{Why: "the command of the acceptance tests did not come to an end", Remedy: "see in the log what became of it, or install " + c.argv[0], Err: err}
	}
	job.Findings.Tests = append(job.Findings.Tests, pipeline.Test{Package: "system", Name: name, Status: pipeline.TestPassed})
	return name + " passed", nil
}

// lastLines returns at most n lines of the end of text.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return gotool.Excerpt(strings.Join(lines[max(0, len(lines)-n):], "\n"), n)
}
