package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/mock/gomock"
	"google.golang.org/protobuf/proto"

	"gitlab.com/selfcontained/shop/web/internal/api"
	"gitlab.com/selfcontained/shop/web/internal/openapitest"
	"gitlab.com/selfcontained/shop/web/internal/server"
)

// harness is the API in the real server of net/http; only the client of the
// cart service is a mock. Each answer is held against the description.
type harness struct {
	cart  *MockCartServiceClientMockRecorder
	seen  *openapitest.Transport
	log   *bytes.Buffer // complete after close
	url   string
	close func()
}

func start(t *testing.T, setup ...func(*api.API)) *harness {
	t.Helper()
	mock, log := NewMockCartServiceClient(gomock.NewController(t)), &bytes.Buffer{}
	logger := slog.New(slog.NewJSONHandler(log, nil))
	a := api.New(mock, logger)
	for _, f := range setup {
		f(a)
	}
	s := httptest.NewServer(server.New(a.Routes(), server.Config{Log: logger}).Handler())
	t.Cleanup(s.Close)
	return &harness{
		cart: mock.EXPECT(), seen: openapitest.Load(t).Transport(t, s.Client().Transport),
		log: log, url: s.URL, close: s.Close,
	}
}

// request has what differs between requests; a body is declared as JSON unless
// header says otherwise.
type request struct {
	method, path, body string
	header             http.Header
}

// parse reads "METHOD PATH BODY".
func parse(line string) request {
	fields := append(strings.SplitN(line, " ", 3), "")
	return request{method: fields[0], path: fields[1], body: fields[2]}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends the request.
func (h *harness) do(t *testing.T, r request) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), r.method, h.url+r.path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	response, err := h.seen.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, strings.TrimSpace(string(body))}
}

// problem reads the members that tests look at.
func (a answer) problem(t *testing.T) (p struct {
	Type, Detail, Field, RequestID string
	SKUs                           []string
}) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	p.Type = strings.TrimPrefix(p.Type, "tag:selfcontained.gitlab.io,2026:shop/web/")
	return p
}

// equal matches a message.
func equal(want proto.Message) gomock.Matcher {
	return gomock.Cond(func(got proto.Message) bool { return proto.Equal(want, got) })
}

// shortly makes the API give up soon.
func shortly(a *api.API) { a.SetMaxCall(time.Millisecond) }
