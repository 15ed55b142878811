package repository

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// loopbackOnly refuses plain HTTP to any other host, also after a redirect.
type loopbackOnly struct{ next http.RoundTripper }

func (t loopbackOnly) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !isLoopback(req.URL.Host) {
		return nil, fmt.Errorf("%s speaks plain HTTP, which is for loopback only; give the registry a certificate", req.URL.Host)
	}
	return t.next.RoundTrip(req)
}

func isLoopback(hostport string) bool {
	host := (&url.URL{Host: hostport}).Hostname()
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// MissingRight says that the registry does not let us do something.
type MissingRight struct {
	Repository string
	// Right is "push" or "pull".
	Right string
	// Status is the HTTP status of the refusal.
	Status int
	Err    error
}

func (e *MissingRight) Error() string {
	return fmt.Sprintf("%s: no right to %s (HTTP %d); %s", e.Repository, e.Right, e.Status, e.Remedy())
}

// Unwrap returns what the registry said.
func (e *MissingRight) Unwrap() error { return e.Err }

// Remedy says what gives the right.
func (e *MissingRight) Remedy() string {
	host, _, _ := strings.Cut(e.Repository, "/")
	if e.Right == "pull" {
		return "run `docker login " + host + "`; in GitLab CI the job token reads other projects only where their allowlist names this one"
	}
	return "run `docker login " + host + "` as somebody who may push; in GitLab CI pass CI_REGISTRY_USER and CI_REGISTRY_PASSWORD," +
		" which push to the job's own project only: for another one use a deploy token with write_registry"
}

// failed says what could not be done; refusals become MissingRight.
func (r *Repository) failed(what, scope string, err error) error {
	var answer *transport.Error
	if errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden) {
		right := "pull"
		if scope == transport.PushScope {
			right = "push"
		}
		return &MissingRight{Repository: r.String(), Right: right, Status: answer.StatusCode, Err: err}
	}
	return fmt.Errorf("%s %s: %w", what, r, err)
}

// patience are the pauses before a request is sent again.
func patience() []time.Duration {
	return []time.Duration{100 * time.Millisecond, 300 * time.Millisecond, time.Second, 3 * time.Second}
}

// patiently does something again while the registry says that it is busy or
// broken. Docker's registry says so too when a tag is read in the middle of
// being written. What is done has to be the same when it is done twice.
func patiently(ctx context.Context, do func() error) error {
	for _, pause := range patience() {
		err := do()
		if !isPassing(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
	return do()
}

func isPassing(err error) bool {
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// isMissing reports whether the registry says that it is not there.
func isMissing(err error) bool {
	var answer *transport.Error
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}
