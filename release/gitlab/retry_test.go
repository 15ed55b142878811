package gitlab

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(time.Minute)
	for name, test := range map[string]struct {
		header, value string
		low, high     time.Duration
	}{
		"seconds":      {"Retry-After", "7", 7 * time.Second, 7 * time.Second},
		"date":         {"Retry-After", soon.UTC().Format(http.TimeFormat), 55 * time.Second, time.Minute},
		"date in past": {"Retry-After", "Mon, 02 Jan 2006 15:04:05 GMT", 0, 0},
		"negative":     {"Retry-After", "-5", 0, 0},
		"nonsense":     {"Retry-After", "soon", 0, 0},
		"reset":        {"RateLimit-Reset", strconv.FormatInt(soon.Unix(), 10), 55 * time.Second, time.Minute},
		"nothing":      {"X", "y", 0, 0},
	} {
		got := retryAfter(&http.Response{Header: http.Header{http.CanonicalHeaderKey(test.header): {test.value}}})
		if got < test.low || got > test.high {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Writes are sent once, except when they never arrived.
func TestRetry(t *testing.T) {
	t.Parallel()
	answer := func(method string, status int) *http.Response {
		return &http.Response{StatusCode: status, Request: &http.Request{Method: method}, Header: http.Header{}}
	}
	broken := func(op string) error { return &url.Error{Op: op, URL: "x", Err: errors.New("EOF")} }
	dial := &url.Error{Op: "Post", URL: "x", Err: &net.OpError{Op: "dial", Err: errors.New("refused")}}
	for name, test := range map[string]struct {
		resp *http.Response
		err  error
		want bool
	}{
		"GET 502":      {answer("GET", 502), nil, true},
		"HEAD 503":     {answer("HEAD", 503), nil, true},
		"POST 502":     {answer("POST", 502), nil, false},
		"PUT 502":      {answer("PUT", 502), nil, false},
		"DELETE 502":   {answer("DELETE", 502), nil, false},
		"GET 501":      {answer("GET", 501), nil, false},
		"GET 404":      {answer("GET", 404), nil, false},
		"POST 429":     {answer("POST", 429), nil, true},
		"POST refused": {nil, dial, true},
		"GET broken":   {nil, broken("Get"), true},
		"POST broken":  {nil, broken("Post"), false},
		"PUT broken":   {nil, broken("Put"), false},
	} {
		if got, _ := retry(t.Context(), test.resp, test.err); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if again, err := retry(cancelled, answer("GET", 502), nil); again || err == nil {
		t.Error("a cancelled request is repeated")
	}
}

func TestSeal(t *testing.T) {
	t.Parallel()
	sealed := seal("1.0.0", "### Added\r\n\r\n- a\n\n")
	if !untouched("1.0.0", sealed) || !untouched("1.0.0", "### Added\r\n\r\n- a\r\n\r\n"+sealed[len("### Added\n\n- a\n\n"):]+" \n") {
		t.Errorf("touched: %q", sealed)
	}
	for name, text := range map[string]string{
		"edited": "### added" + sealed[len("### Added"):], "without": "### Added", "appended": sealed + "\n\nmore", "empty": "",
	} {
		if untouched("1.0.0", text) {
			t.Errorf("%s: untouched", name)
		}
	}
	if untouched("one", sealed) {
		t.Error("another name: untouched")
	}
}
