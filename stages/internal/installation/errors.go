package installation

import (
	"errors"
	"strings"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
)

// StageError gives the errors of kindtest their status: what is wrong with the
// chart or the service is a failure, what is wrong around it is not. Every
// other error is passed on.
func StageError(err error) error {
	var (
		environment *kindtest.EnvironmentError
		permission  *kindtest.PermissionError
		notReady    *kindtest.NotReadyError
		chart       *kindtest.ChartError
		manifest    *kindtest.ManifestError
	)
	switch {
	case errors.As(err, &environment):
		return &pipeline.NotTested{Why: environment.What, Remedy: environment.Remedy, Err: environment.Err}
	case errors.As(err, &permission):
		return &pipeline.NotTested{Why: "not allowed to " + permission.Action, Remedy: permission.Remedy, Err: permission.Err}
	case errors.As(err, &notReady):
		return &pipeline.Failure{Summary: notReady.Error(), Cause: Details(notReady)}
	case errors.As(err, &chart), errors.As(err, &manifest):
		return &pipeline.Failure{Summary: err.Error()}
	}
	return err
}

// Details are the first lines of a diagnosis.
func Details(err *kindtest.NotReadyError) string { return firstLines(err.Diagnosis.String(), 20) }

// firstLines returns at most n lines of text.
func firstLines(text string, n int) string {
	lines := strings.SplitAfterN(text, "\n", n+1)
	return strings.TrimRight(strings.Join(lines[:min(n, len(lines))], ""), "\n")
}
