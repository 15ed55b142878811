package openapitest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Transport checks each answer that next returns; what is wrong fails the test.
// It is safe for concurrent use if next is.
type Transport struct {
	t    testing.TB
	doc  *Document
	next http.RoundTripper
}

// Transport returns one for the test t.
func (d *Document) Transport(t testing.TB, next http.RoundTripper) *Transport {
	return &Transport{t, d, next}
}

// RoundTrip sends the request. The body that it returns is in memory.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	name := t.doc.find(r.Method, r.URL.EscapedPath())
	t.doc.remember(name + " " + strconv.Itoa(response.StatusCode))
	if err := t.doc.check(name, response, body); err != nil {
		t.t.Errorf("%s %s answers %d, which api/web.openapi.yaml does not allow: %v\n%s", r.Method, r.URL.EscapedPath(), response.StatusCode, err, body)
	}
	return response, nil
}

// find returns the name of the operation, "" if there is none.
func (d *Document) find(method, path string) string {
	for name := range d.operations {
		its, template, _ := strings.Cut(name, " ")
		if its == method && matches(template, path) {
			return name
		}
	}
	return ""
}

// matches compares segment by segment; {name} stands for any one.
func matches(template, path string) bool {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	return slices.EqualFunc(want, got, func(want, got string) bool {
		return want == got || strings.HasPrefix(want, "{") && got != ""
	})
}

// check compares an answer with what the operation allows. Without an operation
// it must be a problem that says so.
func (d *Document) check(name string, response *http.Response, body []byte) error {
	status := strconv.Itoa(response.StatusCode)
	if name == "" {
		if !slices.Contains([]string{"403", "404", "405"}, status) {
			return fmt.Errorf("there is no such operation")
		}
		return d.validate(problem, body)
	}
	allowed, ok := d.operations[name].Responses[status]
	if !ok {
		return fmt.Errorf("%s has no such status", name)
	}
	if allowed.Ref != "" {
		allowed = d.shared[allowed.Ref]
	}
	return d.checkAnswer(allowed, response.Header, body)
}

func (d *Document) checkAnswer(allowed answer, header http.Header, body []byte) error {
	for name, h := range allowed.Headers {
		if h.Required && header.Get(name) == "" {
			return fmt.Errorf("the header %s is missing", name)
		}
	}
	content, ok := allowed.Content[header.Get("Content-Type")]
	if !ok {
		return fmt.Errorf("content type %q", header.Get("Content-Type"))
	}
	return d.validate(content.Schema.Ref, body)
}
