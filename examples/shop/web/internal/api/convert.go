package api

import (
	"fmt"
	"time"

	cartv1 "gitlab.com/selfcontained/shop/web/gen/cart/v1"
)

// The types below are the JSON of the API. They are written out, not taken from
// the generated code: one side may change without the other.

type articles struct {
	Articles      []article `json:"articles"`
	NextPageToken string    `json:"nextPageToken,omitempty"` // none on the last page
}

type article struct {
	SKU       string `json:"sku"`
	Available int64  `json:"available"`
}

type cart struct {
	CartID    string     `json:"cartId"`
	State     string     `json:"state"` // "open", "ordering" or "ordered"
	Lines     []line     `json:"lines"`
	Pieces    int32      `json:"pieces"`
	OrderTime *time.Time `json:"orderTime,omitempty"` // none before it is ordered
}

type line struct {
	SKU      string `json:"sku"`
	Quantity int32  `json:"quantity"`
}

func jsonArticles(a *cartv1.ListArticlesResponse) articles {
	result := articles{Articles: make([]article, len(a.GetArticles())), NextPageToken: a.GetNextPageToken()}
	for i, from := range a.GetArticles() {
		result.Articles[i] = article{SKU: from.GetSku(), Available: from.GetAvailable()}
	}
	return result
}

// jsonCart fails for a state that this service does not know.
func jsonCart(c *cartv1.Cart) (cart, error) {
	state, err := jsonState(c.GetState())
	if err != nil {
		return cart{}, err
	}
	result := cart{CartID: c.GetCartId(), State: state, Lines: make([]line, len(c.GetLines())), Pieces: c.GetPieces()}
	for i, from := range c.GetLines() {
		result.Lines[i] = line{SKU: from.GetSku(), Quantity: from.GetQuantity()}
	}
	if c.GetOrderTime().IsValid() {
		result.OrderTime = new(c.GetOrderTime().AsTime())
	}
	return result, nil
}

func jsonState(s cartv1.Cart_State) (string, error) {
	switch s {
	case cartv1.Cart_STATE_OPEN:
		return "open", nil
	case cartv1.Cart_STATE_ORDERING:
		return "ordering", nil
	case cartv1.Cart_STATE_ORDERED:
		return "ordered", nil
	}
	return "", fmt.Errorf("the cart service sent a cart in state %v", s)
}
