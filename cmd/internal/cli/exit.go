package cli

import (
	"context"
	"errors"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/gitrepo"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/registry"
	"gitlab.com/selfcontained/pipeline/release/scs/deploy"
	"gitlab.com/selfcontained/pipeline/release/scs/promote"
)

// The exit codes; the first that applies wins: 130, 2, 1, 3, 4.
const (
	exitOK          = 0
	exitFailed      = 1   // a stage failed: the user's code or tests are red
	exitUsage       = 2   // wrong usage or configuration
	exitEnvironment = 3   // engine, cluster, network, permission; something is not tested
	exitGate        = 4   // a gate refused
	exitNothing     = 5   // nothing to release, with --exit-code
	exitCancelled   = 130 // cancelled by the user
)

// usageError is a wrong call: flags, arguments, names that do not exist.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// stagesError says that a run ended with stages that open no gate; what they
// were has been shown already.
type stagesError struct{ status pipeline.Status }

func (e *stagesError) Error() string { return "run " + string(e.status) }

// exitCode maps the error of a command to the exit code of the program.
func exitCode(err error) int {
	var (
		usage    *usageError
		problems config.Problems
		plan     *pipeline.PlanError
		stages   *stagesError
		refused  *release.RefusedError
		tag      *gitrepo.TagExistsError
		forgeTag *gitlab.TagConflictError
		taken    *registry.TagTaken
		asset    *gitlab.AssetConflictError
		file     *release.FileTakenError
		gate     *gateError
		promoted *promote.RefusedError
		moved    *promote.MovedError
		older    *deploy.OlderError
		deployed *deploy.FailedError
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &stages):
		return stages.exitCode()
	case errors.Is(err, context.Canceled):
		return exitCancelled
	case errors.As(err, &usage), errors.As(err, &problems), errors.As(err, &plan):
		return exitUsage
	case errors.Is(err, errNothing):
		return exitNothing
	case errors.As(err, &refused), errors.As(err, &tag), errors.As(err, &forgeTag), errors.As(err, &taken), errors.As(err, &asset), errors.As(err, &file),
		errors.As(err, &gate), errors.As(err, &promoted), errors.As(err, &moved), errors.As(err, &older):
		return exitGate
	case errors.As(err, &deployed):
		return exitFailed
	}
	return exitEnvironment
}

func (e *stagesError) exitCode() int {
	switch e.status {
	case pipeline.Cancelled:
		return exitCancelled
	case pipeline.Failed:
		return exitFailed
	}
	return exitEnvironment
}
