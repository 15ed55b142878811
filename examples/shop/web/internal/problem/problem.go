// Package problem holds the error answers of the HTTP API: RFC 9457, "Problem
// Details for HTTP APIs", as application/problem+json.
//
// A kind of problem is a stable URI; programs compare that and nothing else.
// Title and status follow from the kind, detail is for people and may change.
// The extension members are field (what in the request is wrong), skus (the
// articles that stand in the way) and requestId (the line in the log).
package problem

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// ContentType is the media type of a problem (RFC 9457, section 6.1).
const ContentType = "application/problem+json"

// RequestIDHeader is the header of an answer that names the request in the log.
const RequestIDHeader = "X-Request-Id"

// typePrefix makes a kind a URI that stays the same wherever the service runs.
// Nothing is to be found there: RFC 9457 recommends tag URIs (RFC 4151) for that.
const typePrefix = "tag:selfcontained.gitlab.io,2026:shop/web/"

// retryAfter is the pause in seconds that is asked for while the shop is away.
const retryAfter = 2

// Kind tells problems apart. The values are part of the API.
type Kind string

// The kinds of problems; README.md lists them.
const (
	InvalidArgument      Kind = "invalid-argument"
	MalformedBody        Kind = "malformed-body"
	CrossSite            Kind = "cross-site"
	NotFound             Kind = "not-found"
	MethodNotAllowed     Kind = "method-not-allowed"
	Conflict             Kind = "conflict"
	BodyTooLarge         Kind = "body-too-large"
	UnsupportedMediaType Kind = "unsupported-media-type"
	TooMany              Kind = "too-many"
	Internal             Kind = "internal"
	Unavailable          Kind = "unavailable"
	Timeout              Kind = "timeout"
)

// kinds has the status, the title and, for problems that say nothing more, the
// detail of each kind.
var kinds = map[Kind]struct {
	status        int
	title, detail string
}{
	InvalidArgument:      {http.StatusBadRequest, "A value is not allowed", ""},
	MalformedBody:        {http.StatusBadRequest, "The body cannot be read", ""},
	CrossSite:            {http.StatusForbidden, "Another site must not do this", "A browser sent this on behalf of another site."},
	NotFound:             {http.StatusNotFound, "Not found", "There is nothing at this address."},
	MethodNotAllowed:     {http.StatusMethodNotAllowed, "The method is not allowed here", "The Allow header names the methods that are."},
	Conflict:             {http.StatusConflict, "Not possible at present", ""},
	BodyTooLarge:         {http.StatusRequestEntityTooLarge, "The body is too large", ""},
	UnsupportedMediaType: {http.StatusUnsupportedMediaType, "The media type is not supported", ""},
	TooMany:              {http.StatusTooManyRequests, "Too much at once", "The shop is full or the answer too large; ask for less or try again later."},
	Internal:             {http.StatusInternalServerError, "The shop has failed", "The cause is in the log of the service, under the request id."},
	Unavailable:          {http.StatusServiceUnavailable, "The shop cannot be reached", "Please try again in a moment."},
	Timeout:              {http.StatusGatewayTimeout, "The shop takes too long", "Whether the change was made is not known; it may be repeated without harm."},
}

// URI is the type of the problem in an answer.
func (k Kind) URI() string { return typePrefix + string(k) }

// Status is the HTTP status of the kind.
func (k Kind) Status() int { return kinds[k].status }

// Problem is one error answer. It is an error, so that what reads a request can
// return it.
type Problem struct {
	// Kind decides type, title and status.
	Kind Kind
	// Detail tells a person what happened here; empty: the kind's own text.
	Detail string
	// Field is the parameter or member that is wrong, "quantity" for instance.
	Field string
	// SKUs are the articles that stand in the way.
	SKUs []string
}

// Error returns the kind and the detail.
func (p *Problem) Error() string { return string(p.Kind) + ": " + p.detail() }

func (p *Problem) detail() string {
	if p.Detail == "" {
		return kinds[p.Kind].detail
	}
	return p.Detail
}

// Write sends the problem. The request id is taken from the header that the
// answer has already.
func (p *Problem) Write(w http.ResponseWriter) {
	body := p.body(w.Header().Get(RequestIDHeader))
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if p.Kind == Unavailable {
		h.Set("Retry-After", strconv.Itoa(retryAfter))
	}
	w.WriteHeader(p.Kind.Status())
	_, _ = w.Write(body) // a client that has gone needs no answer
}

func (p *Problem) body(requestID string) []byte {
	// Strings and numbers always encode.
	body, _ := json.Marshal(struct {
		Type      string   `json:"type"`
		Title     string   `json:"title"`
		Status    int      `json:"status"`
		Detail    string   `json:"detail"`
		Field     string   `json:"field,omitempty"`
		SKUs      []string `json:"skus,omitempty"`
		RequestID string   `json:"requestId,omitempty"`
	}{p.Kind.URI(), kinds[p.Kind].title, p.Kind.Status(), p.detail(), p.Field, p.SKUs, requestID})
	return append(body, '\n')
}
