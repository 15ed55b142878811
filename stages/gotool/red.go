package gotool

import (
	"errors"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// Red makes a *pipeline.Failure of a command that ended with a status of its
// own, with the first lines of cause, and passes every other error on: nil, a
// *pipeline.NotTested, a cancellation, a command that a signal ended.
func Red(err error, summary, cause string) error {
	var failed *proc.Error
	var notTested *pipeline.NotTested
	switch {
	case err == nil:
		return nil
	case errors.As(err, &notTested), !errors.As(err, &failed), failed.ExitCode < 0:
		return err
	}
	if strings.TrimSpace(cause) == "" {
		cause = failed.Error()
	}
	return &pipeline.Failure{Summary: summary, Cause: Excerpt(cause, CauseLines)}
}

// Complaints returns what the compiler and vet say, without the lines with
// which the go command names packages.
func Complaints(stderr string) string {
	var out []string
	for line := range strings.Lines(stderr) {
		if !strings.HasPrefix(line, "# ") {
			out = append(out, strings.TrimPrefix(strings.TrimRight(line, "\n"), "vet: "))
		}
	}
	return strings.Join(out, "\n")
}
