package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	api "gitlab.com/gitlab-org/api/client-go/v2"
)

// APIError is an answer of GitLab that is no success.
type APIError struct {
	Op      string // what was to be done, such as "create release v1.0.0"
	Status  int    // the HTTP status
	Message string // GitLab's own words; may be empty
	Hint    string // what to do about it; may be empty
}

func (e *APIError) Error() string {
	s := fmt.Sprintf("%s: GitLab answers %d %s", e.Op, e.Status, http.StatusText(e.Status))
	if e.Message != "" {
		s += " (" + e.Message + ")"
	}
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// TagConflictError says that a tag exists on another commit than the one that
// is to be released. Released tells that GitLab has a release on it by now:
// somebody made the tag in the same moment, and the release that was made
// could not be taken back.
type TagConflictError struct {
	Tag, Want, Got string
	Released       bool
}

func (e *TagConflictError) Error() string {
	s := fmt.Sprintf("tag %s is on commit %s, not on %s; a version is never moved: release the next one, or delete the tag if nobody has used it", e.Tag, e.Got, e.Want)
	if e.Released {
		s += "; a release was attached to it and must be deleted by hand, which takes the role Maintainer"
	}
	return s
}

// AssetConflictError says that the package registry has other bytes under the
// name of a file. They are left as they are.
type AssetConflictError struct {
	File, Version, URL string
	Want, Got          string // SHA-256, hexadecimal
}

func (e *AssetConflictError) Error() string {
	return fmt.Sprintf("%s of version %s is in the package registry with other contents (sha256 %s, ours %s): %s; "+
		"a published file is never replaced: release the next version, or delete the file if nobody has used it", e.File, e.Version, e.Got, e.Want, e.URL)
}

// NotSettledError says that GitLab had not finished with a push to a merge
// request in time, so that its approvals may still go away.
type NotSettledError struct {
	Request int64  // the number of the merge request
	Status  string // its detailed_merge_status
}

func (e *NotSettledError) Error() string {
	return fmt.Sprintf("merge request !%d is still %q: its approvals may be those of an older push; try again in a minute", e.Request, e.Status)
}

// failed makes an error of ours from one of the API client. Cancellation stays
// recognisable; nothing else of the client's error is kept but its words,
// without the token.
func (c *Client) failed(op string, err error) error {
	if err == nil {
		return nil
	}
	var answer *api.ErrorResponse
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", op, contextOf(err))
	case errors.As(err, &answer):
		message := answer.Message
		if answer.StatusCode >= http.StatusInternalServerError || answer.StatusCode == http.StatusNotFound {
			message = "" // a page of a proxy, or what the status says
		}
		return &APIError{Op: op, Status: answer.StatusCode, Message: c.token.mask(message), Hint: hintOf(answer)}
	default:
		return &unreachableError{op + ": " + c.token.mask(err.Error())}
	}
}

func contextOf(err error) error {
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	return context.DeadlineExceeded
}

func hintOf(answer *api.ErrorResponse) string {
	switch answer.StatusCode {
	case http.StatusTooManyRequests:
		hint := "the rate limit is used up; try again later"
		if answer.Response != nil && answer.Response.Header.Get("Retry-After") != "" {
			hint += ", GitLab says Retry-After: " + answer.Response.Header.Get("Retry-After")
		}
		return hint
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return "the server has another address; configure that one"
	case http.StatusUnauthorized:
		return "the token is not valid (any more)"
	}
	return ""
}

// unreachableError is a request without an answer; whether it had an effect is
// open.
type unreachableError struct{ text string }

func (e *unreachableError) Error() string { return e.text }

// open tells whether a failed request may have had its effect all the same.
func open(err error) bool {
	var none *unreachableError
	return errors.As(err, &none) || status(err) >= http.StatusInternalServerError
}

// status is the HTTP status of an error, 0 for an error of another kind.
func status(err error) int {
	var answer *APIError
	if errors.As(err, &answer) {
		return answer.Status
	}
	return 0
}

// hinted tells what to do about an answer that denies something.
func hinted(err error, hint string) error {
	if status(err) == http.StatusForbidden || status(err) == http.StatusNotFound {
		return explained(err, hint)
	}
	return err
}

// explained is an answer with a hint.
func explained(err error, hint string) error {
	var answer *APIError
	if !errors.As(err, &answer) {
		return err
	}
	with := *answer
	with.Hint = hint
	return &with
}
