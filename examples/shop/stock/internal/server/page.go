package server

import (
	"encoding/base64"

	"gitlab.com/selfcontained/shop/stock/internal/stock"
)

const (
	defaultPageSize = 100
	maxPageSize     = 1000
)

// page says which articles ListItems returns: size of them above after.
type page struct {
	size  int
	after string
}

func parsePage(size int32, token string) (page, error) {
	if size < 0 {
		return page{}, &stock.InvalidError{Field: "page_size", Reason: "expected 0 or more"}
	}
	if size == 0 {
		size = defaultPageSize
	}
	after, err := parseToken(token)
	return page{min(int(size), maxPageSize), after}, err
}

// cut takes what was found, up to one article more than fits, and returns what
// fits and the token of the next page.
func (p page) cut(found []stock.Item) ([]stock.Item, string) {
	if len(found) <= p.size {
		return found, ""
	}
	found = found[:p.size]
	return found, formatToken(found[p.size-1].SKU)
}

// formatToken makes the token of the page after an SKU. It is encoded so that
// nobody is tempted to make one.
func formatToken(sku string) string { return base64.RawURLEncoding.EncodeToString([]byte(sku)) }

// parseToken accepts nothing but the empty token and what formatToken returns.
func parseToken(token string) (string, error) {
	if token == "" {
		return "", nil
	}
	sku, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || stock.CheckName("page_token", string(sku)) != nil || formatToken(string(sku)) != token {
		return "", &stock.InvalidError{Field: "page_token", Reason: "expected the next_page_token of an answer"}
	}
	return string(sku), nil
}
