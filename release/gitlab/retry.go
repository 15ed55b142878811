package gitlab

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// retry decides what the HTTP layer sends again: what was refused by a rate
// limit, what never left, and reads. A PUT is no such read: the second one of
// a package file adds a second file.
func retry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		return neverLeft(err) || isRead(methodOf(err)), nil
	}
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		deadline, limited := ctx.Deadline()
		return !limited || time.Now().Add(retryAfter(resp)).Before(deadline), nil
	case resp.StatusCode >= http.StatusInternalServerError && resp.StatusCode != http.StatusNotImplemented:
		return resp.Request != nil && isRead(resp.Request.Method), nil
	default:
		return false, nil
	}
}

func isRead(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// methodOf reads the method from the operation of a url.Error ("Get").
func methodOf(err error) string {
	var u *url.Error
	if !errors.As(err, &u) {
		return ""
	}
	switch u.Op {
	case "Get":
		return http.MethodGet
	case "Head":
		return http.MethodHead
	}
	return u.Op
}

// neverLeft tells whether no connection was made.
func neverLeft(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// backoff is the wait before a repetition by the HTTP layer.
func (c *Client) backoff(_, _ time.Duration, attempt int, resp *http.Response) time.Duration {
	if resp != nil && resp.StatusCode == http.StatusTooManyRequests {
		if after := retryAfter(resp); after > 0 {
			return after
		}
	}
	return c.pause << min(attempt, 6)
}

// retryAfter is what the server asks for: seconds or a date (RFC 9110,
// section 10.2.3), else GitLab's RateLimit-Reset, seconds since 1970.
func retryAfter(resp *http.Response) time.Duration {
	value := resp.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	if reset, err := strconv.ParseInt(resp.Header.Get("RateLimit-Reset"), 10, 64); err == nil {
		return max(0, time.Until(time.Unix(reset, 0)))
	}
	return 0
}
