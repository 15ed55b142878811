//go:build integration

package integration

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"gitlab.com/selfcontained/shop/web/internal/openapitest"
	"gitlab.com/selfcontained/shop/web/internal/tlsfiles"
)

// The JSON of the API, as a client sees it.
type (
	articles struct {
		Articles []struct {
			SKU       string
			Available int64
		}
		NextPageToken string
	}
	cart struct {
		CartID    string
		State     string
		Lines     []line
		Pieces    int
		OrderTime time.Time
	}
	line struct {
		SKU      string
		Quantity int
	}
	problem struct {
		Type, Field string
		SKUs        []string
	}
)

func address(t *testing.T) string {
	t.Helper()
	address := os.Getenv("PIPELINE_ADDR")
	if address == "" {
		t.Fatal("PIPELINE_ADDR is not set: it must be host:port of the installed service")
	}
	return address
}

// tlsConfig verifies the service against PIPELINE_TLS_CA.
func tlsConfig(t *testing.T) *tls.Config {
	t.Helper()
	config, err := tlsfiles.Client("", "", os.Getenv("PIPELINE_TLS_CA"))
	if err != nil {
		t.Fatal("PIPELINE_TLS_CA: ", err)
	}
	return config
}

func baseURL(t *testing.T) string {
	t.Helper()
	if os.Getenv("PIPELINE_TLS_CA") == "" {
		return "http://" + address(t)
	}
	return "https://" + address(t)
}

// transport reaches the service without any proxy, by connections of its own.
func transport(t *testing.T) *http.Transport {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: tlsConfig(t), ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// customer has a cart and a connection. What it is answered is held against the
// API's description.
type customer struct {
	cart, url string
	client    http.Client
}

func newCustomer(t *testing.T) *customer {
	t.Helper()
	return &customer{rand.Text(), baseURL(t), http.Client{Transport: openapitest.Load(t).Transport(t, transport(t))}}
}

func (c *customer) path() string { return "/api/carts/" + c.cart }

// do returns status and body.
func (c *customer) do(t *testing.T, method, path, body string) (int, []byte) {
	request, err := http.NewRequestWithContext(t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.client.Do(request)
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	return response.StatusCode, answer
}

// want sends a request and decodes the answer, which must have the status.
func (c *customer) want(t *testing.T, status int, method, path, body string, into any) {
	t.Helper()
	got, answer := c.do(t, method, path, body)
	if got != status {
		t.Fatalf("%s %s %s: status %d, want %d: %s", method, path, body, got, status, answer)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		t.Fatalf("%s %s: %v: %s", method, path, err, answer)
	}
}

// refused sends what must end in a problem of a kind.
func (c *customer) refused(t *testing.T, status int, kind, method, path, body string) (p problem) {
	t.Helper()
	c.want(t, status, method, path, body, &p)
	if !strings.HasSuffix(p.Type, "/"+kind) {
		t.Errorf("%s %s %s: problem %q, want %q", method, path, body, p.Type, kind)
	}
	return p
}

func (c *customer) show(t *testing.T) (got cart) {
	t.Helper()
	c.want(t, http.StatusOK, http.MethodGet, c.path(), "", &got)
	return got
}

func (c *customer) put(t *testing.T, sku string, quantity int) (got cart) {
	t.Helper()
	c.want(t, http.StatusOK, http.MethodPut, c.path()+"/lines/"+sku, fmt.Sprintf(`{"quantity":%d}`, quantity), &got)
	return got
}

func (c *customer) checkout(t *testing.T) (got cart) {
	t.Helper()
	c.want(t, http.StatusOK, http.MethodPost, c.path()+"/checkout", "", &got)
	return got
}

// buy tells whether the customer got the pieces; that there are too few is the
// only allowed reason why not. It may be called by many goroutines.
func (c *customer) buy(t *testing.T, sku string, pieces int) bool {
	for _, step := range []struct{ method, path, body string }{
		{http.MethodPut, c.path() + "/lines/" + sku, fmt.Sprintf(`{"quantity":%d}`, pieces)},
		{http.MethodPost, c.path() + "/checkout", ""},
	} {
		status, body := c.do(t, step.method, step.path, step.body)
		if status != http.StatusOK && status != http.StatusConflict {
			t.Errorf("%s %s: status %d: %s", step.method, step.path, status, body)
		}
		if status != http.StatusOK {
			return false
		}
	}
	return true
}

// available is how many pieces the shop offers.
func available(t *testing.T, c *customer, sku string) int64 {
	t.Helper()
	var all articles
	c.want(t, http.StatusOK, http.MethodGet, "/api/articles?page_size=1000", "", &all)
	for _, article := range all.Articles {
		if article.SKU == sku {
			return article.Available
		}
	}
	t.Fatalf("there is no article %q: pipeline.yaml seeds the stock with it", sku)
	return 0
}
