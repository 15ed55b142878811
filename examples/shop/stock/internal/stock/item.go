// Package stock holds the terms and rules of the service: articles, the
// reservations on them and what may happen to both. It knows neither gRPC nor
// the database. All values are plain data; the rules are methods that return
// the changed value and leave the receiver alone, so that a failed rule in the
// middle of a transaction has changed nothing.
package stock

// Limits of the API; see proto/stock/v1/stock.proto.
const (
	MaxQuantity = 1_000_000_000
	MaxLines    = 100
	MaxName     = 64
)

// Item is one article. 0 <= Reserved <= OnHand holds always.
type Item struct {
	SKU      string `json:"sku"`
	OnHand   int64  `json:"on_hand"`
	Reserved int64  `json:"reserved"`
	// Revision counts the changes; 0 is an article that is not stored yet.
	Revision int64 `json:"revision"`
}

// Available returns the pieces that can still be reserved.
func (i Item) Available() int64 { return i.OnHand - i.Reserved }

// Put sets the pieces on hand. It fails with ErrInsufficient if more than that
// are reserved. An equal quantity changes nothing, the revision included.
func (i Item) Put(onHand int64) (Item, error) {
	if onHand < i.Reserved {
		return i, ErrInsufficient
	}
	if onHand == i.OnHand && i.Revision > 0 {
		return i, nil
	}
	i.OnHand = onHand
	return i.changed(), nil
}

// Reserve sets pieces aside or fails with ErrInsufficient.
func (i Item) Reserve(quantity int64) (Item, error) {
	if quantity > i.Available() {
		return i, ErrInsufficient
	}
	i.Reserved += quantity
	return i.changed(), nil
}

// Settle ends the reservation of pieces: Released makes them available again,
// Committed takes them off the stock.
func (i Item) Settle(quantity int64, outcome State) Item {
	i.Reserved -= quantity
	if outcome == Committed {
		i.OnHand -= quantity
	}
	return i.changed()
}

func (i Item) changed() Item {
	i.Revision++
	return i
}
