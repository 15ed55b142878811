//go:build integration

// Package integration tests the whole chain in Kubernetes: this service over
// HTTPS, the cart service behind it and the stock service behind that, which
// holds the articles that pipeline.yaml seeds. Each test has articles of its
// own and looks at differences, so tests run side by side and again.
//
// PIPELINE_ADDR is host:port of the service. PIPELINE_TLS_CA is a PEM file with
// the CA of its certificate; unset means that the service speaks plain text.
package integration

import (
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHTTPS(t *testing.T) {
	t.Parallel()
	if os.Getenv("PIPELINE_TLS_CA") == "" {
		t.Skip("PIPELINE_TLS_CA is not set: the service speaks plain text")
	}
	good := tlsConfig(t)
	old, stranger := good.Clone(), good.Clone()
	old.MaxVersion = tls.VersionTLS12
	stranger.RootCAs = nil // the machine's
	for name, test := range map[string]struct {
		config *tls.Config
		good   bool
	}{"verified": {good, true}, "TLS 1.2": {old, false}, "another authority": {stranger, false}} {
		by := &http.Transport{TLSClientConfig: test.config, ForceAttemptHTTP2: true}
		response, err := (&http.Client{Transport: by}).Get("https://" + address(t) + "/healthz")
		if (err == nil) != test.good || err == nil && response.ProtoMajor != 2 {
			t.Errorf("%s: %v, %v", name, response, err)
		}
		if err == nil {
			response.Body.Close()
		}
		by.CloseIdleConnections()
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/static/app.js", "/static/style.css"} {
		response, err := (&http.Client{Transport: transport(t)}).Get(baseURL(t) + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK || response.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %d %v", path, response.StatusCode, response.Header)
		}
	}
}

func TestArticlesComePageByPage(t *testing.T) {
	t.Parallel()
	c := newCustomer(t)
	var skus []string
	for token := ""; ; {
		var page articles
		c.want(t, http.StatusOK, http.MethodGet, "/api/articles?page_size=2&page_token="+token, "", &page)
		if len(page.Articles) > 2 {
			t.Fatalf("a page of 2 has %d articles", len(page.Articles))
		}
		for _, article := range page.Articles {
			skus = append(skus, article.SKU)
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	if !slices.IsSorted(skus) || len(skus) < 6 || !slices.Contains(skus, "fig") {
		t.Errorf("articles %q", skus)
	}
	if available(t, c, "fig") != 0 {
		t.Error("figs are sold out, but some are available")
	}
}

func TestFromCartToOrder(t *testing.T) {
	t.Parallel()
	c := newCustomer(t)
	before := available(t, c, "apple")
	want := cart{CartID: c.cart, State: "open", Lines: []line{}}
	check := func(what string, got cart) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("new cart", c.show(t))
	want.Lines, want.Pieces = []line{{"apple", 3}, {"elderberry", 1}}, 4
	c.put(t, "elderberry", 1)
	check("filled cart", c.put(t, "apple", 3))
	check("filled cart, shown", c.show(t))
	if got := available(t, c, "apple"); got != before {
		t.Errorf("%d apples, want %d: a cart promises nothing", got, before)
	}
	want.Lines, want.Pieces = []line{{"apple", 2}}, 2
	c.put(t, "apple", 2)
	var got cart
	c.want(t, http.StatusOK, http.MethodDelete, c.path()+"/lines/elderberry", "", &got)
	check("changed cart", got)

	first := c.checkout(t)
	if first.OrderTime.IsZero() {
		t.Error("an ordered cart has no time")
	}
	want.State, want.OrderTime = "ordered", first.OrderTime
	check("order", first)
	check("order, repeated", c.checkout(t))
	check("order, shown", c.show(t))
	if got := available(t, c, "apple"); got != before-2 {
		t.Errorf("%d apples, want %d", got, before-2)
	}
	c.refused(t, http.StatusConflict, "conflict", http.MethodPut, c.path()+"/lines/apple", `{"quantity":1}`)
}

func TestTooManyPiecesNameTheArticle(t *testing.T) {
	t.Parallel()
	c := newCustomer(t)
	left := available(t, c, "banana")
	p := c.refused(t, http.StatusConflict, "conflict", http.MethodPut, c.path()+"/lines/banana", fmt.Sprintf(`{"quantity":%d}`, left+1))
	if diff := cmp.Diff([]string{"banana"}, p.SKUs); diff != "" {
		t.Errorf("SKUs (-want +got):\n%s", diff)
	}
}

// What was available when it was put into the cart may be gone at checkout.
func TestSoldOutAtCheckout(t *testing.T) {
	t.Parallel()
	quick, slow := newCustomer(t), newCustomer(t)
	if available(t, quick, "cherry") == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("no cherry: the stock is not the one that the seed makes")
		}
		t.Skip("the only cherry was sold by an earlier run")
	}
	quick.put(t, "cherry", 1)
	slow.put(t, "cherry", 1)
	quick.checkout(t)
	p := slow.refused(t, http.StatusConflict, "conflict", http.MethodPost, slow.path()+"/checkout", "")
	if diff := cmp.Diff([]string{"cherry"}, p.SKUs); diff != "" {
		t.Errorf("SKUs (-want +got):\n%s", diff)
	}
	if got := slow.show(t); got.State != "open" || got.Pieces != 1 {
		t.Errorf("the cart of the one who was late: %+v", got)
	}
}

func TestManyCustomersNeverGetMoreThanThereIs(t *testing.T) {
	t.Parallel()
	const customers, pieces = 12, 5
	before := available(t, newCustomer(t), "date")
	var sold atomic.Int64
	var group sync.WaitGroup
	for range customers {
		c := newCustomer(t)
		group.Go(func() {
			if c.buy(t, "date", pieces) {
				sold.Add(pieces)
			}
		})
	}
	group.Wait()
	want := min(customers, before/pieces) * pieces
	if left := available(t, newCustomer(t), "date"); sold.Load() != want || left != before-want {
		t.Errorf("%d sold and %d left of %d, want %d sold", sold.Load(), left, before, want)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	c := newCustomer(t)
	for _, test := range []struct {
		status                   int
		kind, method, path, body string
		field                    string
	}{
		{404, "not-found", http.MethodPut, c.path() + "/lines/" + rand.Text(), `{"quantity":1}`, ""},
		{400, "invalid-argument", http.MethodGet, "/api/carts/a%20b", "", "cart"},
		{400, "invalid-argument", http.MethodPut, c.path() + "/lines/a%20b", `{"quantity":1}`, "sku"},
		{400, "invalid-argument", http.MethodPut, c.path() + "/lines/apple", `{"quantity":100}`, "quantity"},
		{400, "invalid-argument", http.MethodPut, c.path() + "/lines/apple", `{"quantity":-1}`, "quantity"},
		{400, "invalid-argument", http.MethodGet, "/api/articles?page_size=-1", "", "page_size"},
		{400, "invalid-argument", http.MethodGet, "/api/articles?page_token=%3F", "", "page_token"},
		{409, "conflict", http.MethodPost, c.path() + "/checkout", "", ""},
	} {
		if p := c.refused(t, test.status, test.kind, test.method, test.path, test.body); p.Field != test.field {
			t.Errorf("%s %s %s: field %q, want %q", test.method, test.path, test.body, p.Field, test.field)
		}
	}
}
