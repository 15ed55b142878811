//go:build acceptance

package acceptance

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// The JSON of the shop, as far as the tests look at it.
type (
	article struct {
		SKU       string `json:"sku"`
		Available int64  `json:"available"`
	}
	line struct {
		SKU      string `json:"sku"`
		Quantity int64  `json:"quantity"`
	}
	cart struct {
		ID        string    `json:"cartId"`
		State     string    `json:"state"`
		Lines     []line    `json:"lines"`
		OrderTime time.Time `json:"orderTime"`
	}
	// problem is an error of the shop (RFC 9457).
	problem struct {
		Type string   `json:"type"`
		SKUs []string `json:"skus"`
	}
)

// customer is somebody with a cart of their own.
type customer struct {
	cart string
	*door
}

// enter returns a new customer in a shop that is open.
func enter(t *testing.T) *customer {
	t.Helper()
	d, err := theDoor()
	if err != nil {
		t.Fatal(err)
	}
	return &customer{rand.Text(), d}
}

// want sends a request whose answer has to have a status, and decodes it.
func (c *customer) want(t *testing.T, status int, method, path, body string, into any) {
	t.Helper()
	got, answer, err := c.send(t.Context(), method, path, body)
	if err != nil {
		t.Fatal(err) // names method and address
	}
	if got != status {
		t.Fatalf("%s %s %s: status %d, want %d: %s", method, path, body, got, status, answer)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		t.Fatalf("%s %s: %v: %s", method, path, err, answer)
	}
}

// articles returns all that is on offer, page by page as a browser gets it.
func (c *customer) articles(t *testing.T) []article {
	t.Helper()
	const pages = 10 // with what values.yaml puts into the stock there are two
	var all []article
	token := ""
	for range pages {
		var page struct {
			Articles []article `json:"articles"`
			Next     string    `json:"nextPageToken"`
		}
		c.want(t, http.StatusOK, http.MethodGet, "/api/articles?page_size=4&page_token="+token, "", &page)
		all = append(all, page.Articles...)
		if token = page.Next; token == "" {
			return all
		}
	}
	t.Fatalf("after %d pages there is still a next one", pages)
	return nil
}

// available returns how many pieces of an article are on offer.
func (c *customer) available(t *testing.T, sku string) int64 {
	t.Helper()
	for _, a := range c.articles(t) {
		if a.SKU == sku {
			return a.Available
		}
	}
	t.Fatalf("the shop does not show %q, which values.yaml puts into the stock", sku)
	return 0
}

func (c *customer) path() string { return "/api/carts/" + c.cart }

// put sets how many pieces of an article are in the cart.
func (c *customer) put(t *testing.T, sku string, quantity int64) (got cart) {
	t.Helper()
	c.want(t, http.StatusOK, http.MethodPut, c.path()+"/lines/"+sku, fmt.Sprintf(`{"quantity":%d}`, quantity), &got)
	return got
}

func (c *customer) checkout(t *testing.T) (got cart) {
	t.Helper()
	c.want(t, http.StatusOK, http.MethodPost, c.path()+"/checkout", "", &got)
	return got
}

// refused checks out a cart that the shop cannot serve, and returns why.
func (c *customer) refused(t *testing.T) (why problem) {
	t.Helper()
	c.want(t, http.StatusConflict, http.MethodPost, c.path()+"/checkout", "", &why)
	return why
}
