package system

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/internal/installation"
)

// memberError is what went wrong with the chart of a member.
type memberError struct {
	member *Member
	err    error
}

func (e *memberError) Error() string { return e.member.String() + ": " + e.err.Error() }
func (e *memberError) Unwrap() error { return e.err }

// verdict gives an error its status. A combination is red only for what it did
// itself: everything that is not known to be its fault is not tested, for a red
// answer makes a search accuse somebody.
func verdict(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	err = installation.StageError(err)
	var (
		failure   *pipeline.Failure
		notTested *pipeline.NotTested
		member    *memberError
	)
	switch {
	case errors.As(err, &failure):
		return failure
	case errors.As(err, &notTested):
		return notTested
	case errors.As(err, &member) && !disturbed(err):
		return &pipeline.Failure{Summary: fmt.Sprintf("%s cannot be installed", member.member), Cause: member.err.Error()}
	}
	return &pipeline.NotTested{
		Why: "the combination could not be brought into the cluster", Err: err, Transient: disturbed(err),
		Remedy: "see the stage's log, and run it again",
	}
}

// disturbed reports whether an error came from the way to the cluster, or from
// a cluster that had too much to do.
func disturbed(err error) bool {
	var u *url.Error
	var n *net.OpError
	return errors.As(err, &u) || errors.As(err, &n) || apierrors.IsInternalError(err) || apierrors.IsServerTimeout(err) ||
		apierrors.IsTimeout(err) || apierrors.IsTooManyRequests(err) || apierrors.IsServiceUnavailable(err)
}
