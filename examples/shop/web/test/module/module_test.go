//go:build module

// Package module tests the service as a container: one instance, plain text, at
// the address in PIPELINE_ADDR, and no cart service anywhere. It sees nothing
// but the page and the API. That SIGTERM ends the service in order is checked by
// what starts it.
package module

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"gitlab.com/selfcontained/shop/web/internal/openapitest"
)

func address(t *testing.T) string {
	t.Helper()
	address := os.Getenv("PIPELINE_ADDR")
	if address == "" {
		t.Fatal("PIPELINE_ADDR is not set: it must be host:port of a running service in plain text without cart service")
	}
	return address
}

// transport reaches the service without any proxy.
func transport(t *testing.T) *http.Transport {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// send sends a request; a body is declared as JSON.
func send(t *testing.T, by http.RoundTripper, method, path, body string, header http.Header) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+address(t)+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := by.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(text)
}

// call sends a request of the API and holds the answer against its description.
func call(t *testing.T, method, path, body string, header http.Header) (*http.Response, string) {
	t.Helper()
	return send(t, openapitest.Load(t).Transport(t, transport(t)), method, path, body, header)
}

func TestHealth(t *testing.T) {
	t.Parallel()
	if response, body := call(t, http.MethodGet, "/healthz", "", nil); response.StatusCode != http.StatusOK {
		t.Errorf("status %d: %s", response.StatusCode, body)
	}
}

// TestPage loads the page and what it refers to, a second time as browsers do.
func TestPage(t *testing.T) {
	t.Parallel()
	by := transport(t)
	response, page := send(t, by, http.MethodGet, "/", "", nil)
	if got := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || got != "text/html; charset=utf-8" {
		t.Fatalf("status %d, content type %q", response.StatusCode, got)
	}
	paths := []string{"/"}
	for _, match := range regexp.MustCompile(`(?:src|href)="(/[^"]+)"`).FindAllStringSubmatch(page, -1) {
		paths = append(paths, match[1])
	}
	if len(paths) < 4 {
		t.Fatalf("the page refers to %q only", paths[1:])
	}
	for _, path := range paths {
		response, body := send(t, by, http.MethodGet, path, "", nil)
		again, _ := send(t, by, http.MethodGet, path, "", http.Header{"If-None-Match": {response.Header.Get("ETag")}})
		if response.StatusCode != http.StatusOK || body == "" || again.StatusCode != http.StatusNotModified {
			t.Errorf("%s: status %d, %d bytes, then %d", path, response.StatusCode, len(body), again.StatusCode)
		}
	}
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/static/app.js", "/healthz", "/nothing"} {
		response, _ := send(t, transport(t), http.MethodGet, path, "", nil)
		policy := response.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'self'") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if response.Header.Get("X-Content-Type-Options") != "nosniff" || response.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", path, response.Header)
		}
	}
}

func TestWithoutCartServiceAnswersAre503AndComeQuickly(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"GET /api/articles", "GET /api/carts/c", `PUT /api/carts/c/lines/a {"quantity":1}`,
		"DELETE /api/carts/c/lines/a", "POST /api/carts/c/checkout",
	} {
		fields := append(strings.SplitN(line, " ", 3), "")
		start := time.Now()
		response, body := call(t, fields[0], fields[1], fields[2], nil)
		if took := time.Since(start); response.StatusCode != http.StatusServiceUnavailable || took > 2*time.Second {
			t.Errorf("%s: status %d after %v: %s", line, response.StatusCode, took, body)
		}
		if response.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", line, response.Header)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	const line = "/api/carts/c/lines/a"
	for _, test := range []struct {
		method, path, body string
		header             http.Header
		want               int
		kind               string
	}{
		{http.MethodGet, "/api/nothing", "", nil, 404, "not-found"},
		{http.MethodPatch, line, "{}", nil, 405, "method-not-allowed"},
		{http.MethodPut, line, `{"quantity":1,"price":0}`, nil, 400, "malformed-body"},
		{http.MethodPut, line, `{"quantity":"1"}`, nil, 400, "invalid-argument"},
		{http.MethodPut, line, strings.Repeat(" ", 5000), nil, 413, "body-too-large"},
		{http.MethodPut, line, "", nil, 415, "unsupported-media-type"},
		{http.MethodPut, line, `{"quantity":1}`, http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403, "cross-site"},
	} {
		response, body := call(t, test.method, test.path, test.body, test.header)
		if response.StatusCode != test.want || !strings.Contains(body, "shop/web/"+test.kind+`"`) {
			t.Errorf("%s %s %.30s: %d, want %d %s: %s", test.method, test.path, test.body, response.StatusCode, test.want, test.kind, body)
		}
	}
	if response, _ := call(t, http.MethodDelete, "/api/articles", "", nil); response.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("Allow %q", response.Header.Get("Allow"))
	}
}

// raw sends bytes as they are and returns the status of the answer.
func raw(t *testing.T, text string) int {
	t.Helper()
	conn, err := net.Dial("tcp", address(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

func TestLimitsOfHTTP(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"GET /healthz HTTP/1.1\r\nHost: web\r\n\r\n": 200,
		"GET /healthz HTTP/1.1\r\n\r\n":              400, // no Host
		"nonsense\r\n\r\n":                           400,
		fmt.Sprintf("GET /healthz HTTP/1.1\r\nHost: web\r\nX: %s\r\n\r\n", strings.Repeat("x", 20<<10)): 431,
	} {
		if got := raw(t, text); got != want {
			t.Errorf("%.40q: status %d, want %d", text, got, want)
		}
	}
}
