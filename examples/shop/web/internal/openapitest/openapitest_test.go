package openapitest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// recorder keeps what a test would fail with.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

// canned is a server that always says the same.
type canned struct {
	status      int
	contentType string
	body        string
	err         error
}

func (c canned) RoundTrip(*http.Request) (*http.Response, error) {
	if c.err != nil {
		return nil, c.err
	}
	return &http.Response{
		StatusCode: c.status, Header: http.Header{"Content-Type": {c.contentType}}, Body: io.NopCloser(strings.NewReader(c.body)),
	}, nil
}

const (
	jsonType    = "application/json"
	problemType = "application/problem+json"
	good        = `{"cartId":"c","state":"open","lines":[{"sku":"a","quantity":1}],"pieces":1,"orderTime":"2026-01-02T03:04:05Z"}`
	goodProblem = `{"type":"tag:selfcontained.gitlab.io,2026:shop/web/x","title":"t","status":404,"detail":"d","requestId":"r"}`
)

func TestTransport(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		request string
		answer  canned
		want    string // part of the complaint; empty: none
	}{
		"good":                {"GET /api/carts/c", canned{200, jsonType, good, nil}, ""},
		"no JSON":             {"GET /api/carts/c", canned{200, jsonType, "{", nil}, "no JSON"},
		"another member":      {"GET /api/carts/c", canned{200, jsonType, strings.Replace(good, "pieces", "peaces", 1), nil}, "peaces"},
		"wrong type":          {"GET /api/carts/c", canned{200, jsonType, strings.Replace(good, `:1}]`, `:"1"}]`, 1), nil}, "quantity"},
		"no time":             {"GET /api/carts/c", canned{200, jsonType, strings.Replace(good, "2026-", "", 1), nil}, "orderTime"},
		"wrong content type":  {"GET /api/carts/c", canned{200, "text/html", good, nil}, "text/html"},
		"unknown status":      {"GET /api/carts/c", canned{201, jsonType, good, nil}, "no such status"},
		"missing header":      {"GET /api/carts/c", canned{503, problemType, goodProblem, nil}, "Retry-After"},
		"no such operation":   {"GET /api/carts", canned{200, jsonType, good, nil}, "no such operation"},
		"refusal":             {"GET /api/carts", canned{404, problemType, goodProblem, nil}, ""},
		"refusal in text":     {"PATCH /api/carts/c", canned{405, "text/plain", "no", nil}, "no JSON"},
		"empty path variable": {"GET /api/carts/", canned{200, jsonType, good, nil}, "no such operation"},
	} {
		r := &recorder{TB: t}
		method, path, _ := strings.Cut(test.request, " ")
		request, err := http.NewRequestWithContext(context.Background(), method, "http://web"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := Load(t).Transport(r, test.answer).RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(response.Body); err != nil || string(body) != test.answer.body {
			t.Errorf("%s: body %q, error %v", name, body, err)
		}
		got := strings.Join(r.errors, "\n")
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestErrorsOfTheConnectionPass(t *testing.T) {
	t.Parallel()
	want := errors.New("refused")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://web/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(t).Transport(t, canned{err: want}).RoundTrip(request); !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

func TestOperationsAndUnseen(t *testing.T) {
	t.Parallel()
	doc := Load(t)
	const operation, answer = "GET /healthz", "GET /healthz 200"
	if !slices.Contains(doc.Operations(), operation) || !slices.Contains(doc.Unseen(), answer) {
		t.Errorf("%q, %q", doc.Operations(), doc.Unseen())
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://web/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := doc.Transport(t, canned{200, jsonType, `{"status":"serving"}`, nil}).RoundTrip(request); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(doc.Unseen(), answer) {
		t.Errorf("%q has been seen", answer)
	}
}

func TestBadDocuments(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a: [", "paths: 1", "paths: {/x: {get: 1}}", "{1: {2: 3}}", "paths: {}\n.nan: .nan"} {
		if _, err := parse([]byte(text)); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}
