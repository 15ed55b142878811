package kindtest

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// PermissionError tells that the cluster's user may not do what a test needs.
type PermissionError struct {
	Action string // for example "create namespace pipeline-1a2b in cluster kind-x"
	// Right is what the user lacks, verb and resource, for example "create
	// namespaces"; empty when the cluster does not say.
	Right  string
	Remedy string
	Err    error
}

func (e *PermissionError) Error() string {
	return fmt.Sprintf("not allowed to %s: %v; %s", e.Action, e.Err, e.Remedy)
}

func (e *PermissionError) Unwrap() error { return e.Err }

// apiError makes a *PermissionError of a refusal, an *EnvironmentError of what
// is wrong with the cluster or the way to it, and otherwise says what was
// attempted.
func (c *Cluster) apiError(action string, err error) error {
	action += " in cluster " + c.Name
	switch {
	case apierrors.IsUnauthorized(err):
		return &PermissionError{Action: action, Err: err, Remedy: "the cluster does not accept the credentials in its kubeconfig: log in again, or test in a cluster of your own (integration.cluster.provider: kind)"}
	case apierrors.IsForbidden(err):
		right := missingRight(err)
		return &PermissionError{Action: action, Right: right, Err: err, Remedy: remedy(right)}
	case environmental(err):
		return &EnvironmentError{What: "cannot " + action, Err: err, Remedy: "check that the cluster and its engine run and can be reached from here"}
	}
	return fmt.Errorf("%s: %w", action, err)
}

// environmental reports whether an error is one of the cluster or the way to
// it, and not about what was asked of it.
func environmental(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return true
	}
	return apierrors.IsInternalError(err) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) ||
		apierrors.IsTooManyRequests(err) || apierrors.IsServiceUnavailable(err)
}

func remedy(right string) string {
	ask := "ask for"
	if right != "" {
		ask = "ask for the right to " + right + ", or at once for all that is needed:"
	}
	return ask + " a ClusterRole with get, list, watch, create and delete on namespaces, and the ClusterRole admin; or test in a cluster of your own (integration.cluster.provider: kind)"
}

// missingRight returns verb and resource from a refusal of the API server's
// authorization, and "" for what is forbidden by other rules, such as a quota
// or pod security. The only source is the message (k8s.io/apiserver,
// pkg/endpoints/handlers/responsewriters/errors.go):
//
//	... cannot create resource "deployments" in API group "apps" in the namespace "x"
func missingRight(err error) string {
	m := regexp.MustCompile(`cannot ([a-z*]+) resource "([^"]+)" in API group "([^"]*)"`).FindStringSubmatch(err.Error())
	if m == nil || !apierrors.IsForbidden(err) {
		return ""
	}
	right := m[1] + " " + m[2]
	if m[3] != "" {
		right += "." + m[3]
	}
	return right
}
